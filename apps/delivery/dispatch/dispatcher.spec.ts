import { Registry } from 'prom-client';
import { contracts } from '#webhook-contracts';
import type { Exchange } from '#webhook-sending';
import type { Endpoint } from '../endpoints/endpoint';
import { deliveryMetrics } from '../metrics';
import type { Outcome } from '../record/outcome';
import { Dispatcher, type DispatcherNeeds } from './dispatcher';
import type { Task } from './task';

const endpoint = (no: number, host = `${no}.example`) =>
  ({
    no,
    open: true,
    contract: contracts.get('core')!,
    liveSecrets: () => ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    row: { workspace: 'ws_1', config: { rateLimitPerSecond: null, targetUrl: `https://${host}/` } },
  }) as unknown as Endpoint;
const task = (no: number): Task =>
  ({ endpoint: no, messageId: 'evt_1', type: 'post.scheduled', body: '{}', lane: null, tries: 0 }) as unknown as Task;

/** A dispatcher with the hosts that it sent to, which the test answers in turn, and its outcomes. */
const surroundings = (concurrency: number) => {
  const answers: ((exchange: Exchange) => void)[] = [];
  const sent: string[] = [];
  const outcomes: Outcome[] = [];
  const needs = {
    sender: {
      send: ({ url }: { url: string }) => {
        sent.push(new URL(url).hostname);
        return new Promise<Exchange>((done) => answers.push(done));
      },
    },
    metrics: deliveryMetrics(new Registry()),
    endpoint,
    record: (outcome: Outcome) => void outcomes.push(outcome),
    isHeld: () => false,
    onRoom: () => undefined,
    keys: { openNow: (_: string, text: string) => ({ text, erased: false }) },
    concurrency,
    retryScale: 1,
  } as unknown as DispatcherNeeds;
  /** Without a status nobody is there. */
  const answer = async (statusCode?: number): Promise<void> => {
    const came = statusCode !== undefined && { statusCode };
    answers.shift()!({ ok: came && came.statusCode < 300, ...came, startedAt: 0, durationMs: 1 });
    // Nothing but what follows from it: no look at the clock comes before it.
    for (let turn = 0; turn < 3; turn++) await Promise.resolve();
  };
  return { dispatcher: new Dispatcher(needs), sent, outcomes, answer };
};

it('gives a slot to who waits for one as soon as it is free', async () => {
  jest.useFakeTimers();
  const { dispatcher, sent, answer } = surroundings(2);
  dispatcher.submit([1, 2, 3, 4].map(task));
  expect(sent).toEqual(['1.example', '2.example']);
  await answer(204);
  expect(sent).toEqual(['1.example', '2.example', '3.example']);
  jest.useRealTimers();
});

it('has four times its slots under way at most, however many hang', () => {
  jest.useFakeTimers();
  const { dispatcher, sent } = surroundings(2);
  dispatcher.submit(Array.from({ length: 20 }, (_, no) => task(no)));
  jest.advanceTimersByTime(60_000);
  expect(sent).toHaveLength(8);
  jest.useRealTimers();
});

it('has as many slots as before when an endpoint that hung was sent elsewhere', async () => {
  jest.useFakeTimers();
  const { dispatcher, sent, answer } = surroundings(2);
  dispatcher.submit([1, 2, 3].map(task));
  jest.advanceTimersByTime(1_000);
  dispatcher.changed(endpoint(1, 'new.example'));
  for (const statusCode of [204, 204, 204]) await answer(statusCode);
  dispatcher.submit([4, 5, 6, 7].map(task));
  expect(sent.slice(3)).toEqual(['4.example', '5.example']);
  jest.useRealTimers();
});

it('does not take for gone who has another target by the time that a 410 is written', async () => {
  const { dispatcher, sent, outcomes, answer } = surroundings(2);
  dispatcher.submit([task(1), task(1)]);
  await answer(410);
  expect(sent).toEqual(['1.example']);
  dispatcher.changed(endpoint(1, 'new.example'));
  expect(sent).toEqual(['1.example', 'new.example']);
  dispatcher.saidGone(outcomes[0]!.task, true);
  await answer(204);
  dispatcher.submit([task(1)]);
  expect(sent).toEqual(['1.example', 'new.example', 'new.example']);
});

it('tries nothing again of an endpoint that was closed while it was tried', async () => {
  const { dispatcher, outcomes, answer } = surroundings(2);
  dispatcher.submit([task(1)]);
  const { row, ...open } = endpoint(1);
  dispatcher.changed({ ...open, open: false, row: { ...row, phase: 'live', position: 7 } } as Endpoint);
  await answer(500);
  expect(outcomes.map(({ decision }) => decision)).toEqual([{ state: 'discarded', reason: 'disabled', asOf: 7 }]);
});

it.each([
  ['gives back what waits for who is not there', null, 0],
  ['keeps a line that waits for who is not there', { name: 'lane' }, 15],
] as const)('%s', async (_, lane, kept) => {
  jest.useFakeTimers();
  const { dispatcher, outcomes, answer } = surroundings(2);
  dispatcher.submit(Array.from({ length: 40 }, () => ({ ...task(1), lane }) as unknown as Task));
  for (let failed = 0; failed < 25; failed++) await answer();
  expect(dispatcher.load).toMatchObject({ inFlight: 0, circuitsOpen: 1, buffered: kept });
  expect(outcomes.filter(({ decision }) => decision.state === 'waiting')).toHaveLength(15 - kept);
  jest.useRealTimers();
});
