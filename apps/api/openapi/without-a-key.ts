import { answerExample, unavailable } from './answer-examples';
import { answer, flag, object, oneOf, text, time, type AnswerSchema, type Schema } from './schema';

const live = answer('Live', 'The process runs', object({ status: { const: 'live' }, app: text }));
const part: Schema = {
  type: 'object',
  properties: { ok: flag, detail: text, lastError: object({ at: time, message: text }) },
  required: ['ok'],
  description: 'With facts of its own: its engine, version, lag …',
};
const ready = answer(
  'Ready',
  'Whether every part can work; what each says of itself',
  object({ status: oneOf('ready', 'unavailable'), parts: { type: 'object', additionalProperties: part } }),
);

const json = ({ reference }: AnswerSchema, example = answerExample(reference)) => ({
  content: { 'application/json': { schema: reference, example } },
});

interface Open {
  readonly operationId: string;
  readonly summary: string;
  readonly responses: object;
}

/** What health and metrics answer, by path. */
export const withoutAKey: Readonly<Record<string, Open>> = {
  '/health/live': {
    operationId: 'healthLive',
    summary: 'Whether the process runs',
    responses: { 200: { description: 'It does', ...json(live) } },
  },
  '/health/ready': {
    operationId: 'healthReady',
    summary: 'Whether every part can work',
    responses: {
      200: { description: 'All can', ...json(ready) },
      503: { description: 'Those that are not ok cannot', ...json(ready, unavailable) },
    },
  },
  '/metrics': {
    operationId: 'metrics',
    summary: 'Counters, for Prometheus',
    responses: {
      200: { description: 'Text format 0.0.4', content: { 'text/plain': { schema: text } } },
      404: { description: 'METRICS_PORT binds them elsewhere' },
    },
  },
};
