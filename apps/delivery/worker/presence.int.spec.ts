import { randomUUID } from 'node:crypto';
import { systemClock } from '#kernel';
import { Database } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { Presence } from './presence';

/** Longer than a worker may be without a heartbeat. */
const LONG = "interval '6 seconds'";

describe('the presence of a worker', () => {
  let test: TestDatabase;
  let tookOver: number[];
  let lost: number;
  let wasSure: boolean;
  const present: Presence[] = [];
  beforeAll(async () => {
    test = await testDatabase();
    // A server that has just started takes nobody for dead.
    await eventually(async () =>
      expect(await test.db.query(`select 1 where pg_postmaster_start_time() < clock_timestamp() - ${LONG}`)).toEqual([
        expect.anything(),
      ]),
    );
  });
  afterAll(() => test.drop());
  beforeEach(() => ([tookOver, lost] = [[], 0]));
  afterEach(async () => {
    jest.restoreAllMocks();
    await Promise.all(present.splice(0).map((presence) => presence.leave()));
    await test.db.script('truncate delivery.worker, delivery.hold, delivery.lease');
  });

  /** One that beats only when it is told to. */
  const worker = async (db = test.db): Promise<Presence> => {
    const presence = new Presence({
      db,
      clock: systemClock,
      name: 'test',
      onBeat: () => undefined,
      onLost: () => {
        lost++;
        wasSure = presence.isSure;
      },
      onTakenOver: (deliveries) => void tookOver.push(deliveries),
      onFault: (error) => {
        throw error;
      },
    });
    await presence.start();
    clearTimeout(presence['timer']);
    present.push(presence);
    return presence;
  };
  const beat = async (presence: Presence): Promise<void> => {
    await presence['beat']();
    clearTimeout(presence['timer']);
  };
  const die = (presence: Presence): Promise<unknown> => {
    presence.kill();
    return test.db.query(`update delivery.worker set beat_at = now() - ${LONG} where id = $1`, [presence.id]);
  };
  const workers = async (): Promise<string[]> =>
    (await test.db.query<{ id: string }>('select id from delivery.worker')).map(({ id }) => id);
  const lease = (owner: string, age: string): Promise<unknown> =>
    test.db.query(
      `insert into delivery.lease (batch, worker, deliveries, created_at) values ($1, $2, '{}', now() - ${age})`,
      [randomUUID(), owner],
    );
  const leased = async (): Promise<string[]> =>
    (await test.db.query<{ worker: string }>('select worker from delivery.lease')).map(({ worker: owner }) => owner);

  it('holds a name alone, as often as it asks, until it lets go itself, leaves or is dead', async () => {
    const [one, other] = [await worker(), await worker()];
    expect([await one.hold('a'), await one.hold('a'), await other.hold('a')]).toEqual([true, true, false]);
    await other.letGo('a');
    expect(await other.hold('a')).toBe(false);
    expect(await one.hold('b')).toBe(true);
    await one.letGo('a');
    expect([await other.hold('a'), await other.hold('b')]).toEqual([true, false]);
    await one.leave();
    expect(await other.hold('b')).toBe(true);
    const third = await worker();
    await die(other);
    expect(await third.hold('b')).toBe(false);
    await beat(third);
    expect([await third.hold('a'), await third.hold('b')]).toEqual([true, true]);
  });

  it('is ended by others when its heartbeat has stayed away, with what it had leased, and so is what nobody living has leased', async () => {
    const [one, frozen] = [await worker(), await worker()];
    const unknown = randomUUID();
    for (const owner of [one.id, frozen.id, unknown]) await lease(owner, LONG);
    await lease(randomUUID(), "interval '1 second'");
    await die(frozen);
    await beat(one);
    expect(await workers()).toEqual([one.id]);
    expect(await leased()).toHaveLength(2);
    expect(await leased()).toEqual(expect.not.arrayContaining([frozen.id, unknown]));
    expect(tookOver).toEqual([0]);
    await beat(one);
    expect(tookOver).toEqual([0]);
  });

  it('is ended too when it died before the clock was set back, and not while it lives', async () => {
    const [one, living, dead] = [await worker(), await worker(), await worker()];
    for (const { id } of [living, dead]) {
      await test.db.query("update delivery.worker set beat_at = now() + interval '1 hour' where id = $1", [id]);
      await lease(id, "interval '-1 hour'");
    }
    const unknown = randomUUID();
    await lease(unknown, "interval '-1 hour'");
    dead.kill();
    await beat(one);
    // Counted from then on.
    expect((await workers()).sort()).toEqual([one.id, living.id, dead.id].sort());
    expect((await leased()).sort()).toEqual([living.id, dead.id].sort());
    await test.db.query(`update delivery.worker set beat_at = beat_at - ${LONG} where id <> $1`, [one.id]);
    await beat(living);
    await beat(one);
    expect((await workers()).sort()).toEqual([one.id, living.id].sort());
    expect(await leased()).toEqual([living.id]);
  });

  it('ends nobody whose heartbeat is as old as its own was, for the clock was set forward, before the others have had their five seconds', async () => {
    const [one, other] = [await worker(), await worker()];
    await test.db.query("update delivery.worker set beat_at = beat_at - interval '1 day'");
    await beat(one);
    await beat(one);
    expect((await workers()).sort()).toEqual([one.id, other.id].sort());
    const real = performance.now.bind(performance);
    let later = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => real() + later);
    // With its own heartbeats in between, and none of the other.
    for (const ms of [2_000, 4_000, 6_000]) {
      later = ms;
      await beat(one);
    }
    expect(await workers()).toEqual([one.id]);
  });

  it('ends nobody on a server that has just started, which has heard nobody yet', async () => {
    const other = await worker();
    await die(other);
    // In front of the server's own function, for whoever looks here first.
    await test.db.script(
      "create function public.pg_postmaster_start_time() returns timestamptz language sql as 'select now()'",
    );
    const url = new URL(test.url);
    url.searchParams.set('options', '-c search_path=public,pg_catalog');
    const db = new Database(url.href);
    const one = await worker(db);
    expect(await workers()).toEqual(expect.arrayContaining([one.id, other.id]));
    await test.db.script('drop function public.pg_postmaster_start_time()');
    await beat(one);
    expect([await workers(), tookOver]).toEqual([[one.id], [0]]);
    await one.leave();
    await db.end();
    present.pop();
  });

  it('knows when others have ended it, and goes on as another', async () => {
    const one = await worker();
    const { id } = one;
    await beat(one);
    expect([one.id, lost]).toEqual([id, 0]);
    await test.db.query('delete from delivery.worker');
    await beat(one);
    expect(one.id).not.toBe(id);
    expect([await workers(), lost]).toEqual([[one.id], 1]);
  });

  it('does not come back when it was stopped during a heartbeat', async () => {
    const one = await worker();
    one.kill();
    await test.db.query('delete from delivery.worker');
    await beat(one);
    expect([await workers(), lost]).toEqual([[], 0]);
  });

  it('is not sure four seconds after its last heartbeat, and then takes nobody for dead until the others have had their five', async () => {
    let now = 1_000_000;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    const [one, other] = [await worker(), await worker()];
    now += 3_999;
    expect(one.isSure).toBe(true);
    now += 1;
    expect(one.isSure).toBe(false);
    await die(other);
    await beat(one);
    expect([one.isSure, tookOver]).toEqual([true, []]);
    now += 3_000;
    await beat(one);
    now += 1_999;
    await beat(one);
    expect(tookOver).toEqual([]);
    now += 1;
    await beat(one);
    expect(tookOver).toEqual([0]);
  });

  it('is not sure again before what it held has been let go', async () => {
    let now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    const one = await worker();
    now += 4_000;
    await test.db.query('delete from delivery.worker where id = $1', [one.id]);
    await beat(one);
    expect([lost, wasSure, one.isSure]).toEqual([1, false, true]);
  });
});
