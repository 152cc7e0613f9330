import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';
import type { DeliveryWorker } from '../worker/delivery-worker';

describe('intake', () => {
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
    worker = await world.worker();
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  const register = async (...ids: string[]): Promise<void> => {
    for (const id of ids) await world.register(`whe_${id}`, receiver.url(`/${id}`), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(ids.length);
  };
  const sequencesAt = (id: string): number[] =>
    receiver
      .on(`/${id}`)
      .map(({ headers }) => Number(headers['webhook-sequence']))
      .sort((a, b) => a - b);

  it('takes a message once, also beside new ones, and twice in one batch', async () => {
    await register('a');
    await world.happen('x', 3);
    const first = await world.fresh();
    await worker.handle(first);
    await world.happen('x', 2);
    const [fourth, fifth] = (await world.fresh()) as [(typeof first)[0], (typeof first)[0]];
    await worker.handle([first[1]!, fourth, first[0]!, fourth]);
    await worker.handle([fourth, fourth, fifth, first[2]!]);
    await eventually(() => expect(sequencesAt('a')).toEqual([1, 2, 3, 4, 5]));
    expect(new Set(receiver.on('/a').map(({ headers }) => headers['webhook-id'])).size).toBe(5);
  });

  it('takes large ones a few at a time, however many come at once', async () => {
    await register('a', 'b');
    await world.happen('x', 60);
    const large = (value: string) => JSON.stringify({ ...(JSON.parse(value) as object), period: 'x'.repeat(250_000) });
    const messages = (await world.fresh()).map((message) => ({ ...message, value: large(message.value) }));
    const { db } = world.test;
    const query = db.query.bind(db);
    const sizes: number[] = [];
    db.query = (text, params) => {
      if (text.includes('delivery.intake(')) sizes.push((params![9] as string).length);
      return query(text, params);
    };
    await worker.handle(messages);
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThan(9_000_000);
    await eventually(() => expect([sequencesAt('a').length, sequencesAt('b').length]).toEqual([60, 60]));
  });

  it('numbers the deliveries of each endpoint by itself, in the order of the messages', async () => {
    await register('a', 'b');
    await world.endpointCommand('whe_b', { type: 'DisableEndpoint', reason: 'manual', ...world.by() });
    await world.happen('x', 2);
    await world.pass(worker);
    await eventually(() => expect(sequencesAt('a')).toEqual([1, 2]));
    const rows = await world.test.db.query<{ id: string; sequences: number[]; states: string[] }>(
      `select e.id, array_agg(d.sequence::integer order by d.position) as sequences, array_agg(distinct coalesce(d.state, 'sent')) as states
       from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint group by e.id order by e.id`,
    );
    expect(rows).toEqual([
      { id: 'whe_a', sequences: [1, 2], states: ['sent'] },
      { id: 'whe_b', sequences: [1, 2], states: ['discarded'] },
    ]);
  });
});
