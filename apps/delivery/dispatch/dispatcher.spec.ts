import { Registry } from 'prom-client';
import { contracts } from '#webhook-contracts';
import type { Exchange } from '#webhook-sending';
import type { Endpoint } from '../endpoints/endpoint';
import { deliveryMetrics } from '../metrics';
import { Dispatcher, type DispatcherNeeds } from './dispatcher';
import type { Task } from './task';

const endpoint = (no: number) =>
  ({
    no,
    open: true,
    contract: contracts.get('core')!,
    liveSecrets: () => ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    row: { workspace: 'ws_1', config: { rateLimitPerSecond: null, targetUrl: `https://${no}.example/` } },
  }) as unknown as Endpoint;
const task = (no: number): Task =>
  ({ endpoint: no, messageId: 'evt_1', type: 'post.scheduled', body: '{}', lane: null, tries: 0 }) as unknown as Task;

it('gives a slot to who waits for one as soon as it is free', async () => {
  jest.useFakeTimers();
  const answers: ((exchange: Exchange) => void)[] = [];
  const sent: string[] = [];
  const needs = {
    sender: {
      send: ({ url }: { url: string }) => {
        sent.push(new URL(url).hostname);
        return new Promise<Exchange>((done) => answers.push(done));
      },
    },
    metrics: deliveryMetrics(new Registry()),
    endpoint,
    record: () => undefined,
    isHeld: () => false,
    onRoom: () => undefined,
    keys: { openNow: (_: string, text: string) => ({ text, erased: false }) },
    concurrency: 2,
    retryScale: 1,
  } as unknown as DispatcherNeeds;
  const dispatcher = new Dispatcher(needs);
  dispatcher.submit([1, 2, 3, 4].map(task));
  expect(sent).toEqual(['1.example', '2.example']);
  answers.shift()!({ ok: true, statusCode: 204, startedAt: 0, durationMs: 1 });
  // Nothing but what was answered: no look at the clock comes before it.
  await Promise.resolve();
  await Promise.resolve();
  expect(sent).toEqual(['1.example', '2.example', '3.example']);
  jest.useRealTimers();
});
