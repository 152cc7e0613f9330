import { plus, systemClock, type Instant } from '#kernel';
import { eventually, Receiver, type Received } from '#testing';
import { World } from '../testing/world';
import type { DeliveryWorker } from './delivery-worker';

const HOUR_MS = 3_600_000;

const sequences = (requests: readonly Received[]): number[] =>
  requests.map(({ headers }) => Number(headers['webhook-sequence']));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

it('disables nothing that has just begun to fail when the clock of its process is set forward by a week', async () => {
  let ahead = 0;
  const [world, receiver] = await Promise.all([
    World.open({ clock: () => plus(systemClock(), ahead) }),
    Receiver.open(),
  ]);
  const worker = await world.worker();
  const { db } = world.test;
  receiver.always('/f', 500);
  await world.register('whe_f', receiver.url('/f'), { eventTypes: ['region.*'] });
  await world.pass(worker);
  await world.happen('a');
  await world.pass(worker);
  const failing = () => db.query('select failing_since from delivery.endpoint where failing_since is not null');
  await eventually(async () => expect(await failing()).toHaveLength(1));
  ahead = 7 * 24 * HOUR_MS;
  const noted = jest.spyOn(worker.parts.failing as unknown as { failing: () => Promise<void> }, 'failing');
  await world.happen('a');
  await world.pass(worker);
  await eventually(() => expect(noted).toHaveBeenCalled());
  await Promise.all(noted.mock.results.map(({ value }) => value as Promise<void>));
  expect(await failing()).toHaveLength(1);
  expect(await db.query("select 1 from delivery.fact where kind = 'failing'")).toEqual([]);
  await world.close();
  await receiver.close();
});

describe.each([
  ['back by an hour', -HOUR_MS],
  ['forward by an hour', HOUR_MS],
  ['back by forty days', -40 * 24 * HOUR_MS],
])('the clock set %s', (_name, jump) => {
  let ahead = 0;
  const clock = (): Instant => plus(systemClock(), ahead);
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  beforeEach(async () => {
    ahead = 0;
    [world, receiver] = await Promise.all([World.open({ retryScale: 0.4, clock }), Receiver.open()]);
    worker = await world.worker();
    await world.register('whe_c', receiver.url('/c'), { eventTypes: ['region.*'] });
    await world.register('whe_o', receiver.url('/o'), { eventTypes: ['region.*'], ordered: true });
    await world.pass(worker);
    await world.live(2);
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  it('loses, doubles and reorders nothing, holds no live delivery up, and lets what waits go when its time has come', async () => {
    await world.happen('a', 3);
    await world.pass(worker);
    await eventually(() => expect([receiver.on('/c').length, receiver.on('/o').length]).toEqual([3, 3]));
    // Of both endpoints the fourth waits for its second attempt, some two seconds, while the clock is set.
    receiver.script('/c', 500);
    receiver.script('/o', 500);
    await world.happen('a');
    await world.pass(worker);
    await eventually(async () =>
      expect(await world.test.db.query("select 1 from delivery.delivery where state = 'retrying'")).toHaveLength(2),
    );
    ahead = jump;
    await world.happen('b', 5);
    await world.pass(worker);
    await eventually(() => expect(new Set(sequences(receiver.on('/c')))).toEqual(new Set(upTo(9))));
    await eventually(() => expect([...new Set(sequences(receiver.on('/o')))].sort()).toEqual(upTo(9)));
    // Back again, as a time server would: what had its time by the wrong clock has it now by the right one.
    ahead = 0;
    await eventually(
      async () =>
        expect(
          await world.test.db.query(
            "select 1 from delivery.delivery where delivery.status_of(id, state) <> 'delivered'",
          ),
        ).toEqual([]),
      { within: 60_000, every: 50 },
    );
    for (const path of ['/c', '/o']) {
      const sent = sequences(receiver.on(path));
      expect(sent.sort((one, other) => one - other)).toEqual([1, 2, 3, 4, 4, 5, 6, 7, 8, 9]);
    }
    await eventually(async () =>
      expect(await world.test.db.query('select 1 from delivery.retry union all select 1 from delivery.lease')).toEqual(
        [],
      ),
    );
  });
});
