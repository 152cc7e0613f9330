import { plus, systemClock, type Instant } from '#kernel';
import type { Opened } from '#personal-data';
import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';
import type { DeliveryWorker } from '../worker/delivery-worker';

const upTo = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n + 1));

describe('a body whose key cannot be had', () => {
  // It stands, so that nothing is due before the test says so.
  let now: Instant;
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  beforeEach(async () => {
    now = systemClock();
    [world, receiver] = await Promise.all([World.open({ clock: () => now }), Receiver.open()]);
    worker = await world.worker();
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  /** What `open` does from now on for every body; returns how often it was asked, and the way back. */
  const sealed = (open: () => Promise<Opened>) => {
    const { keys } = worker['engines'];
    const [openNow, before] = [keys.openNow.bind(keys), keys.open.bind(keys)];
    let asked = 0;
    keys.openNow = () => undefined;
    keys.open = () => {
      asked++;
      return open();
    };
    return { asked: () => asked, open: () => void Object.assign(keys, { openNow, open: before }) };
  };
  const happened = async (count: number, ordered: boolean): Promise<void> => {
    await world.register('whe_a', receiver.url('/a'), { eventTypes: ['region.*'], ordered });
    await world.pass(worker);
    await world.live(1);
    await world.happen('a', count);
    await world.pass(worker);
  };
  const count = async (from: string): Promise<number> =>
    (await world.test.db.query<{ n: number }>(`select count(*)::int as n from delivery.${from}`))[0]!.n;
  const sent = () => receiver.on('/a').map(({ headers }) => String(headers['webhook-sequence']));
  const locked = () => Promise.reject(new Error('The box was closed with another key'));

  it('takes its place in memory while it is asked for, and is given back by who stops meanwhile', async () => {
    const { asked } = sealed(() => new Promise(() => undefined));
    await happened(300, false);
    // An endpoint that has yet to answer may hold so many, and have two under way.
    expect(worker.parts.dispatcher.load.buffered).toBe(200);
    expect(asked()).toBe(2);
    await worker.stop();
    expect([await count('lease'), await count('retry')]).toEqual([0, 300]);
    await world.worker();
    await eventually(() => expect(sent().sort((a, b) => Number(a) - Number(b))).toEqual(upTo(300)));
  });

  it('waits in nobody’s hands, as not tried, and is sent once somebody has the key', async () => {
    const { asked, open } = sealed(locked);
    await happened(20, false);
    await eventually(async () => expect([await count('retry'), await count('lease')]).toEqual([20, 0]));
    expect([asked(), worker.parts.dispatcher.load.buffered]).toEqual([20, 0]);
    expect(await count("delivery where state = 'queued' and tries = 0")).toBe(20);
    open();
    now = plus(now, 60_000);
    worker.parts.retries.wake();
    await eventually(() => expect(sent().sort((a, b) => Number(a) - Number(b))).toEqual(upTo(20)));
  });

  it('waits as tried where it has been', async () => {
    receiver.script('/a', 500);
    await happened(1, false);
    await eventually(async () => expect([await count('retry'), await count('lease')]).toEqual([1, 0]));
    const { asked } = sealed(locked);
    now = plus(now, 60_000);
    worker.parts.retries.wake();
    await eventually(async () => expect([asked(), await count('retry'), await count('lease')]).toEqual([1, 1, 0]));
    expect(await count("delivery where state = 'retrying' and tries = 1")).toBe(1);
  });

  it('keeps its place in an ordered line', async () => {
    const { asked, open } = sealed(locked);
    await happened(3, true);
    await eventually(async () => expect(await count('queue where due_at is not null')).toBe(1));
    expect([asked(), worker.parts.dispatcher.load.buffered]).toEqual([1, 0]);
    open();
    now = plus(now, 60_000);
    await eventually(() => expect(sent()).toEqual(upTo(3)));
    expect(await count('attempt where number <> 1')).toBe(0);
  });

  it('is not sent by a worker that was taken for dead while it asked', async () => {
    let answer: (opened: Opened) => void = () => undefined;
    const { asked, open } = sealed(() => new Promise((done) => (answer = done)));
    await happened(1, false);
    expect(asked()).toBe(1);
    const { dispatcher } = worker.parts;
    dispatcher.forget();
    open();
    answer({ text: '{}', erased: false });
    await new Promise(setImmediate);
    expect(dispatcher.load).toMatchObject({ inFlight: 0, buffered: 0 });
  });
});
