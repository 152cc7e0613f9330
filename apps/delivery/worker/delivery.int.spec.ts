import { verifyStandard } from '#webhook-signing';
import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';

describe('a delivery', () => {
  let world: World;
  let receiver: Receiver;
  beforeAll(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
    await world.worker();
  });
  afterAll(async () => {
    await world.close();
    await receiver.close();
  });

  it('is signed, numbered and recorded', async () => {
    await world.register('whe_a', receiver.url('/a'));
    await world.pass(world.workers[0]!);
    const [id] = await world.happen('north');
    await world.pass(world.workers[0]!);
    const [request] = await eventually(() => {
      expect(receiver.on('/a')).toHaveLength(1);
      return receiver.on('/a');
    });
    expect(verifyStandard({ secret: world.secret, headers: request!.headers, body: request!.body })).toMatchObject({
      id,
    });
    expect(request!.headers['webhook-sequence']).toBe('1');
    await eventually(async () => {
      const rows = await world.test.db.query('select a.ok, a.status_code, a.number from delivery.attempt a');
      expect(rows).toEqual([{ ok: true, status_code: 204, number: 1 }]);
      expect(await world.test.db.query('select * from delivery.lease')).toEqual([]);
    });
  });

  it('is retried by its ladder with the same id and bytes, and then delivered', async () => {
    receiver.script('/a', 500, 503);
    await world.happen('north');
    await world.pass(world.workers[0]!);
    await eventually(() => expect(receiver.on('/a')).toHaveLength(4));
    const [first, second, third] = receiver.on('/a').slice(1);
    expect([second!.body, third!.body]).toEqual([first!.body, first!.body]);
    expect(new Set([first, second, third].map((it) => it!.headers['webhook-id'])).size).toBe(1);
    expect(second!.headers['webhook-sequence']).toBe('2');
    await eventually(async () => {
      expect(
        await world.test.db.query(
          'select number, ok from delivery.attempt a join delivery.delivery d on d.id = a.delivery_id where d.sequence = 2 order by number',
        ),
      ).toEqual([
        { number: 1, ok: false },
        { number: 2, ok: false },
        { number: 3, ok: true },
      ]);
      expect(await world.test.db.query('select state from delivery.delivery where sequence = 2')).toEqual([
        { state: null },
      ]);
    });
  });
});
