import type { ServerResponse } from 'node:http';
import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';

/** A worker ends while one of its deliveries, which it had put back to wait, is under way from another. */
describe('what a worker gives up', () => {
  let world: World;
  let receiver: Receiver;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  it('is what it still has, and not what another has meanwhile', async () => {
    const [first, second] = [await world.worker(), await world.worker()];
    first.parts.retries.stop();
    await world.register('whe_a', receiver.url('/a'), { eventTypes: ['region.*'] });
    await world.pass(first);
    await world.live(1);
    // One batch: the first of it is refused and waits for its retry, the other keeps the batch open.
    const late: ServerResponse[] = [];
    receiver.script('/a', 500, 'hang', (_, response) => void late.push(response));
    await world.happen('a', 2);
    await world.pass(first);
    await eventually(() => expect(late).toHaveLength(1));
    const numbers = () => receiver.on('/a').map(({ headers }) => Number(headers['webhook-sequence']));
    const [retried, , again] = numbers();
    expect(again).toBe(retried);

    first.kill();
    const given = 'select delivery.release($1, clock_timestamp()) as given';
    expect(await world.test.db.query(given, [first.parts.presence.id])).toEqual([{ given: 1 }]);
    second.parts.retries.wake();
    await eventually(() => expect(numbers()).toHaveLength(4));
    late[0]!.writeHead(204).end();
    await eventually(async () =>
      expect(await world.test.db.query('select 1 from delivery.lease union all select 1 from delivery.retry')).toEqual(
        [],
      ),
    );
    expect(numbers().filter((number) => number === retried)).toHaveLength(2);
    expect(numbers().filter((number) => number !== retried)).toHaveLength(2);
  });
});
