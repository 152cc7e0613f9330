import { systemClock } from '#kernel';
import type { Database } from '#postgres';
import { eventually } from '#testing';
import { Memory } from '../dispatch/memory';
import type { Task } from '../dispatch/task';
import { OrderedLane, type OrderedLaneNeeds } from './ordered-lane';
import { OrderedLanes } from './ordered-lanes';

const row = (sequence: number) => ({
  id: `delivery-${sequence}`,
  sequence,
  created_at: systemClock(),
  key: 'a',
  due_at: null,
  message_id: `event-${sequence}`,
  type: 'region.performance_updated',
  tries: 0,
  replay: false,
  number: 1,
  body: '{}',
});

const HOLD = { name: 'ordered:1', worker: 'worker-1' };

type Answer = (rows: unknown[] | Promise<never>) => void;

/** A lane's surroundings: what it sent, and its reads of the queue (what they ask for), which the test answers. */
const surroundings = () => {
  const sent: Task[] = [];
  const answers: Answer[] = [];
  const asked: (readonly unknown[])[] = [];
  const needs: OrderedLaneNeeds = {
    db: {
      query: <Row>(_: string, params: readonly unknown[] = []) => {
        asked.push(params);
        return new Promise<Row[]>((answer) => answers.push(answer as Answer));
      },
      script: () => Promise.resolve(),
    },
    clock: systemClock,
    isOrdered: () => true,
    wantsLatestOnly: () => false,
    submit: (task) => void sent.push(task),
    memory: new Memory({ count: 1_000, size: 1_000_000 }),
    onFault: (error) => {
      throw error;
    },
  };
  return { sent, answers, asked, needs };
};
const sequences = (sent: readonly Task[]): number[] => sent.map(({ sequence }) => sequence);

it('is not sent again when it is recorded while the queue is read anew', async () => {
  const { sent, answers, needs } = surroundings();
  const lane = new OrderedLane(1, HOLD, needs);
  const looked = lane.look(0);
  answers.shift()!([row(1)]);
  await looked;
  const lookedAnew = lane.look(1);
  // The queue was read before the outcome was written, and what it shows comes after it.
  lane.recorded({ task: sent[0]!, exchange: null, decision: { state: 'delivered' } });
  answers.shift()!([row(1), row(2)]);
  await lookedAnew;
  expect(sequences(sent)).toEqual([1, 2]);
});

it('is sent again when it waits behind a later one of its entity, which has its time to wait for', async () => {
  const { sent, answers, asked, needs } = surroundings();
  const answered = async (...rows: unknown[]): Promise<unknown> => {
    await eventually(() => expect(answers).toHaveLength(1));
    answers.shift()!(rows);
    return asked.at(-1);
  };
  const lane = new OrderedLane(1, HOLD, needs);
  void lane.look(0);
  await answered(row(1), row(2));
  await eventually(() => expect(sequences(sent)).toEqual([1]));
  // As what was replayed while it was under way: it is in the queue still.
  lane.recorded({ task: sent[0]!, exchange: null, decision: { state: 'delivered' } });
  void lane.reset();
  await answered(row(1), row(2));
  await eventually(() => expect(answers).toEqual([]));
  expect(sequences(sent)).toEqual([1, 2]);
  const dueMs = Date.now() + 600;
  lane.recorded({ task: sent[1]!, exchange: null, decision: { state: 'retrying', tries: 1, dueMs } });
  const behind = [1, 2].map((sequence) => ({ ...row(sequence), line: 'a' }));
  expect(await answered(...behind)).toEqual([1, ['a'], [1], 2]);
  await eventually(() => expect(sequences(sent)).toEqual([1, 2, 1]));
  lane.stop();
});

it('is looked for when more may have come, and not whenever one is recorded', async () => {
  const { sent, answers, asked, needs } = surroundings();
  const lane = new OrderedLane(1, HOLD, needs);
  const looked = lane.look(0);
  // It came while the queue was being read.
  const pulled = lane.pull();
  answers.shift()!([row(1)]);
  await eventually(() => expect(answers).toHaveLength(1));
  answers.shift()!([row(2)]);
  await Promise.all([looked, pulled]);
  for (const task of [0, 1]) lane.recorded({ task: sent[task]!, exchange: null, decision: { state: 'delivered' } });
  expect(asked).toHaveLength(2);
  void lane.pull();
  answers.shift()!([row(3)]);
  await eventually(() => expect(sequences(sent)).toEqual([1, 2, 3]));
});

it('is looked for again with the next outcome where the look failed', async () => {
  const { sent, answers, needs } = surroundings();
  const faults: Error[] = [];
  const lane = new OrderedLane(1, HOLD, { ...needs, onFault: (error) => void faults.push(error) });
  const looked = lane.look(0);
  answers.shift()!([row(1)]);
  await looked;
  const pulled = lane.pull();
  answers.shift()!(Promise.reject(new Error('away')));
  await pulled;
  expect(faults.map(({ message }) => message)).toEqual(['away']);
  lane.recorded({ task: sent[0]!, exchange: null, decision: { state: 'delivered' } });
  answers.shift()!([row(2)]);
  await eventually(() => expect(sequences(sent)).toEqual([1, 2]));
});

it('is read on page by page, as far as there is room', async () => {
  const { sent, answers, asked, needs } = surroundings();
  const lane = new OrderedLane(1, HOLD, { ...needs, memory: new Memory() });
  void lane.look(0);
  answers.shift()!(Array.from({ length: 200 }, (_, n) => ({ ...row(n + 1), key: `${n}` })));
  await eventually(() => expect(asked.at(-1)).toEqual([1, 200, 200]));
  answers.shift()!([row(201)]);
  await eventually(() => expect(sent).toHaveLength(201));
});

it('is sent again as soon as another is recorded, if there was no room for it when its time had come', async () => {
  const { sent, answers, asked, needs } = surroundings();
  const lane = new OrderedLane(1, HOLD, { ...needs, memory: new Memory({ count: 12, size: 1_000_000 }) });
  const looked = lane.look(0);
  answers.shift()!([row(1), { ...row(2), key: 'b' }]);
  await looked;
  const dueMs = Date.now() + 600;
  lane.recorded({ task: sent[0]!, exchange: null, decision: { state: 'retrying', tries: 1, dueMs } });
  const pulled = lane.pull();
  answers.shift()!([{ ...row(3), key: 'c' }]);
  await pulled;
  await eventually(() => expect(Date.now()).toBeGreaterThan(dueMs));
  lane.recorded({ task: sent[1]!, exchange: null, decision: { state: 'delivered' } });
  await eventually(() => expect(asked.at(-1)).toEqual([1, ['a'], [1], 3]));
  answers.shift()!([{ ...row(1), line: 'a' }]);
  await eventually(() => expect(sequences(sent)).toEqual([1, 2, 3, 1]));
  lane.stop();
});

it('is not sent before those that were read earlier when the queue, read on, is another worker’s by then', async () => {
  const { sent, answers, needs } = surroundings();
  const lane = new OrderedLane(1, HOLD, needs);
  const looked = lane.look(0);
  answers.shift()!([row(1)]);
  await looked;
  const lookedOn = lane.look(0);
  lane.stop();
  answers.shift()!([row(2)]);
  await lookedOn;
  expect(sequences(sent)).toEqual([1]);
});

it('is not sent by a worker that was given up while it asked for the hold', async () => {
  const { sent, answers, needs } = surroundings();
  let hold: ((held: boolean) => void) | undefined;
  const lanes = new OrderedLanes({
    worker: () => HOLD.worker,
    ...needs,
    db: needs.db as Database,
    hold: () => new Promise((answer) => (hold = answer)),
    isKnown: () => true,
    refreshEndpoints: () => Promise.resolve(),
    tellHolder: () => undefined,
  });
  const ask = async (whileAsking: () => void): Promise<void> => {
    const queued = lanes.queued(1, true);
    whileAsking();
    hold!(true);
    await new Promise(setImmediate);
    answers.shift()?.([row(1)]);
    await queued;
  };
  await ask(() => lanes.lost());
  expect(sequences(sent)).toEqual([]);
  await ask(() => undefined);
  expect(sequences(sent)).toEqual([1]);
});

it('is told to the holder of the lane by whoever queues for it, and by nobody else', async () => {
  const { needs } = surroundings();
  const told: number[] = [];
  const lanes = new OrderedLanes({
    worker: () => HOLD.worker,
    ...needs,
    db: needs.db as Database,
    hold: () => Promise.resolve(false),
    isKnown: () => true,
    refreshEndpoints: () => Promise.resolve(),
    tellHolder: (endpoint) => void told.push(endpoint),
  });
  await lanes.queued(1, true);
  await lanes.queued(2, false);
  expect(told).toEqual([1]);
});
