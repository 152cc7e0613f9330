import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';
import type { DeliveryWorker } from '../worker/delivery-worker';

describe('while one workspace registers many endpoints', () => {
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
    worker = await world.worker();
    await world.register('whe_quiet', receiver.url('/quiet'), { eventTypes: ['region.*'] }, 'ws_quiet');
    await world.pass(worker);
    await world.live(1);
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });
  const directory = () => worker.parts.directory;

  const register = async (count: number, workspace: string) => {
    for (let n = 0; n < count; n++)
      await world.register(
        `whe_${workspace}_${n}`,
        receiver.url(`/${workspace}`),
        { eventTypes: ['region.*'] },
        workspace,
      );
    return world.fresh();
  };

  it('what happens in another is taken in without a look at them', async () => {
    const other = await world.worker();
    const registrations = await register(3, 'ws_busy');
    await world.happen('a', 1, 'ws_quiet');
    const events = await world.fresh();
    const refresh = jest.spyOn(directory(), 'refresh').mockRejectedValue(new Error('there is nothing to look at'));
    await other.handle(registrations);
    await world.live(4);
    await worker.handle(events);
    await eventually(() => expect(receiver.on('/quiet')).toHaveLength(1));
    refresh.mockRestore();
  });

  it('what happens in the same one is matched with all of them', async () => {
    const other = await world.worker();
    const refresh = jest.spyOn(directory(), 'refresh').mockRejectedValue(new Error('it has not heard of them'));
    await other.handle(await register(3, 'ws_busy'));
    await world.live(4);
    await world.happen('a', 1, 'ws_busy');
    const events = await world.fresh();
    await expect(worker.handle(events)).rejects.toThrow('it has not heard of them');
    refresh.mockRestore();
    await worker.handle(events);
    await eventually(() => expect(receiver.on('/ws_busy')).toHaveLength(3));
  });

  it('they are taken in together, fifty at a time', async () => {
    const registrations = await register(120, 'ws_busy');
    const want = jest.spyOn(worker.parts.catchUps, 'want').mockReturnValue();
    await worker.handle(registrations);
    expect(want).toHaveBeenCalledTimes(120);
    // The worker has other transactions: these are told by the rows they wrote.
    const written = await world.test.db.query(
      `select count(*)::int as endpoints from delivery.sequence s join delivery.endpoint e on e.no = s.endpoint
       where e.workspace = 'ws_busy' group by s.xmin order by 1 desc`,
    );
    expect(written).toEqual([{ endpoints: 50 }, { endpoints: 50 }, { endpoints: 20 }]);
    await worker.handle(registrations);
    expect(await world.test.db.query('select count(*)::int as count from delivery.endpoint')).toEqual([{ count: 121 }]);
  });
});
