import { systemClock } from '#kernel';
import { eventually } from '#testing';
import type { Task } from '../dispatch/task';
import { OrderedLane } from './ordered-lane';

const row = (sequence: number) => ({
  id: `delivery-${sequence}`,
  sequence,
  key: 'a',
  due_at: null,
  message_id: `event-${sequence}`,
  type: 'region.performance_updated',
  tries: 0,
  replay: false,
  number: 1,
  body: '{}',
});

it('is not sent again when it is recorded while the queue is read anew', async () => {
  const sent: Task[] = [];
  const answers: ((rows: unknown[]) => void)[] = [];
  const lane = new OrderedLane(1, {
    db: {
      query: <Row>() => new Promise<Row[]>((answer) => answers.push(answer as (rows: unknown[]) => void)),
      script: () => Promise.resolve(),
    },
    clock: systemClock,
    isOrdered: () => true,
    submit: (task) => void sent.push(task),
    onFault: (error) => {
      throw error;
    },
  });
  const looked = lane.look(0);
  answers.shift()!([row(1)]);
  await looked;
  const lookedAnew = lane.look(1);
  // The queue was read before the outcome was written, and what it shows comes after it.
  lane.recorded({ task: sent[0]!, exchange: null, decision: { state: 'delivered' } });
  answers.shift()!([row(1), row(2)]);
  await eventually(() => expect(answers).toHaveLength(1));
  answers.shift()!([]);
  await lookedAnew;
  expect(sent.map(({ sequence }) => sequence)).toEqual([1, 2]);
});
