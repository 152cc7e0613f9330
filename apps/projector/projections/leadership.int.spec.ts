import type { Database } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { Leadership } from './leadership';

const NAMES = ['one', 'two'];
const TURN_MS = 50;
/** That a connection holds. */
const LOCKS = "select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()";

/** What comes between a leader and its database. */
interface Meddling {
  readonly answered?: (statement: string) => Promise<void>;
  readonly onFault?: () => void;
  readonly shape?: string;
}

describe('leadership', () => {
  let test: TestDatabase;
  const open: Leadership[] = [];
  beforeAll(async () => (test = await testDatabase({ max: 20 })));
  afterEach(async () => {
    await Promise.all(open.splice(0).map((leadership) => leadership.stop()));
  });
  afterAll(() => test.drop());

  const whenTold = (signal: AbortSignal) =>
    new Promise<void>((end) => signal.addEventListener('abort', () => end(), { once: true }));
  /** `work` is what it does while it leads: until it is told to end. */
  const candidate = (
    tickMs = TURN_MS,
    work: (signal: AbortSignal, nth: number) => Promise<void> = whenTold,
    { answered = async () => undefined, onFault = () => undefined, shape = '1' }: Meddling = {},
  ) => {
    const reigns: { name: string; epoch: number; signal: AbortSignal }[] = [];
    let asked = 0;
    const db = Object.assign(Object.create(test.db) as Database, {
      session: async () => {
        const session = await test.db.session();
        const query = session.query.bind(session);
        return Object.assign(session, {
          query: async (...question: Parameters<typeof query>) => {
            const rows = await query(...question).finally(() => asked++);
            await answered(question[0]);
            return rows;
          },
        });
      },
    });
    const leadership = new Leadership({
      db,
      projections: NAMES.map((name) => ({ name, shape })),
      process: 'test',
      tickMs,
      onFault,
      lead: (name, epoch, signal) => {
        return work(signal, reigns.push({ name, epoch, signal }));
      },
    });
    open.push(leadership);
    leadership.start();
    /** Until it has shown itself, or asked for what others lead, several times more. */
    const turns = () => {
      const until = asked + 8;
      return eventually(() => expect(asked).toBeGreaterThanOrEqual(until));
    };
    return { leadership, reigns, led: () => [...leadership.led].sort(), turns };
  };
  const stillLeads = ({ led, reigns }: ReturnType<typeof candidate>, count: number = NAMES.length) => {
    expect(led()).toEqual(NAMES);
    expect(reigns).toHaveLength(count);
  };

  it('gives each name to one of two, with an epoch that grows', async () => {
    const a = candidate();
    await eventually(() => expect(a.led()).toEqual(NAMES));
    const b = candidate();
    await a.leadership.stop();
    await eventually(() => expect(b.led()).toEqual(NAMES));
    for (const { name, epoch } of b.reigns)
      expect(epoch).toBe(1 + a.reigns.find((reign) => reign.name === name)!.epoch);
    expect(a.reigns.every(({ signal }) => signal.aborted)).toBe(true);
  });

  it('gives nothing up before the work in hand is done', async () => {
    let done: () => void = () => undefined;
    const work = new Promise<void>((end) => (done = end));
    const a = candidate(TURN_MS, () => work);
    await eventually(() => expect(a.led()).toEqual(NAMES));
    const b = candidate();
    const stopping = a.leadership.stop();
    await b.turns();
    expect(b.led()).toEqual([]);
    done();
    await stopping;
    await eventually(() => expect(b.led()).toEqual(NAMES));
  });

  it('begins nothing once it is stopped, also when it was about to', async () => {
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((go) => (goOn = go));
    let fenced = 0;
    const answered = async (statement: string) => {
      if (statement.startsWith('update projector.checkpoint') && ++fenced === NAMES.length) await held;
    };
    const a = candidate(3_600_000, whenTold, { answered });
    await eventually(() => expect(fenced).toBe(NAMES.length));
    const timers = jest.spyOn(globalThis, 'setTimeout');
    const stopping = a.leadership.stop();
    await new Promise(setImmediate);
    goOn();
    await stopping;
    await new Promise(setImmediate);
    expect(a.led()).toEqual([]);
    // Nor will it later.
    expect(timers.mock.calls.filter(([, ms]) => ms === 3_600_000)).toEqual([]);
    timers.mockRestore();
    expect(a.reigns.every(({ signal }) => signal.aborted)).toBe(true);
  });

  it('leaves none of its locks on a connection that others get, after a fault of one statement', async () => {
    let fails = true;
    const answered = async (statement: string) => {
      if (!fails || !statement.startsWith('with seen')) return;
      fails = false;
      throw new Error('no');
    };
    let next: ReturnType<Database['session']> | undefined;
    const onFault = () => void setImmediate(() => (next ??= test.db.session()));
    const a = candidate(TURN_MS, whenTold, { answered, onFault });
    await eventually(() => expect(next).toBeDefined());
    const session = await next!;
    expect(await session.query(LOCKS)).toEqual([]);
    session.release();
    await eventually(() => stillLeads(a, 4));
  });

  it('leaves none of its locks on a connection that others get, once it is stopped', async () => {
    const a = candidate();
    await eventually(() => expect(a.led()).toEqual(NAMES));
    await a.leadership.stop();
    const session = await test.db.session();
    expect(await session.query(LOCKS)).toEqual([]);
    session.release();
  });

  it('vouches for nobody who leads what it has lost, while it still ends its own reign', async () => {
    let done: () => void = () => undefined;
    const work = new Promise<void>((end) => (done = end));
    const a = candidate(TURN_MS, (signal, nth) => (nth <= NAMES.length ? work : whenTold(signal)));
    await eventually(() => expect(a.led()).toEqual(NAMES));
    const held = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = 7305003";
    await eventually(async () => expect(await test.db.query(held)).toEqual([]));
    const b = candidate(3_600_000);
    await eventually(() => expect(b.led()).toEqual(NAMES));
    const seen = () => test.db.query('select name, pid, seen_at from projector.leader order by name');
    const before = await seen();
    await a.turns();
    expect([await seen(), a.led()]).toEqual([before, NAMES]);
    done();
  });

  it('leaves a build by hand to whoever builds it', async () => {
    await test.db.script(`insert into projector.checkpoint (name, version, shape, status, epoch)
      values ('one', 1, '1', 'current', 1000), ('one', 2, '1', 'building', 1001)`);
    const a = candidate();
    await eventually(() => expect(a.led()).toEqual(NAMES));
    const { epoch } = a.reigns.find(({ name }) => name === 'one')!;
    expect(epoch).toBeGreaterThan(1001);
    expect(await test.db.query('select status, epoch from projector.checkpoint order by version')).toEqual([
      { status: 'current', epoch },
      { status: 'building', epoch: 1001 },
    ]);
    await test.db.query('delete from projector.checkpoint');
  });

  it('leaves a leader alone that shows itself, however often another asks', async () => {
    const a = candidate();
    await eventually(() => expect(a.led()).toEqual(NAMES));
    const b = candidate();
    await b.turns();
    stillLeads(a);
    expect(b.led()).toEqual([]);
  });

  it('leaves a leader alone that has just followed one that was not seen for long', async () => {
    await test.db.script(`insert into projector.leader (name, epoch, pid, process, seen_at)
      select name, 1, 1, 'gone', now() - interval '1 hour' from unnest('{one,two}'::text[]) name
      on conflict (name) do update set pid = excluded.pid, seen_at = excluded.seen_at`);
    const a = candidate(500);
    await eventually(() => expect(a.led()).toEqual(NAMES), { every: 1 });
    await candidate(10).turns();
    stillLeads(a);
  });

  it('keeps what it leads anew after a reign that has ended by itself', async () => {
    const a = candidate(TURN_MS, (signal, nth) => (nth === 1 ? Promise.resolve() : whenTold(signal)));
    await eventually(() => stillLeads(a, 3));
    const b = candidate();
    await Promise.all([a.turns(), b.turns()]);
    stillLeads(a, 3);
    expect(b.led()).toEqual([]);
  });

  it('takes over from a leader that is frozen, within five seconds', async () => {
    const frozen = candidate(3_600_000);
    await eventually(() => expect(frozen.led()).toEqual(NAMES));
    // Counted in turns of this process: when the machine holds it up, it holds up the one that takes over as well.
    let turns = 0;
    const counting = setInterval(() => turns++, TURN_MS);
    const other = candidate();
    await eventually(() => expect(other.led()).toEqual(NAMES)).finally(() => clearInterval(counting));
    expect(turns * TURN_MS).toBeLessThan(5_000);
    expect(other.reigns[0]!.epoch).toBeGreaterThan(frozen.reigns[0]!.epoch);
    // Its session was ended for it: it knows as soon as it wakes up.
    await eventually(() => expect(frozen.reigns.every(({ signal }) => signal.aborted)).toBe(true));
  });

  it('begins anew where another build was put in the place of its own', async () => {
    const a = candidate();
    await eventually(() => expect(a.led()).toEqual(NAMES));
    const { epoch } = a.reigns.find(({ name }) => name === 'one')!;
    const builds = "('one', 1, '1', 'retired', $1), ('one', 2, '1', 'current', $1 + 1), ('two', 1, '1', 'current', $2)";
    const ofTwo = a.reigns.find(({ name }) => name === 'two')!;
    await test.db.query(`insert into projector.checkpoint (name, version, shape, status, epoch) values ${builds}`, [
      epoch,
      ofTwo.epoch,
    ]);
    await eventually(() => expect(a.reigns.filter(({ name }) => name === 'one')).toHaveLength(2));
    expect(a.reigns.at(-1)).toMatchObject({ name: 'one', epoch: epoch + 2 });
    expect(a.reigns.filter(({ signal }) => signal.aborted)).toMatchObject([{ name: 'one', epoch }]);
    // The build that it leads now has its own epoch: it goes on.
    await a.turns();
    stillLeads(a, 3);
    await test.db.query('delete from projector.checkpoint');
  });

  it('leaves what a newer build shows to whoever leads that, until nobody has for a minute', async () => {
    await test.db.script(`insert into projector.checkpoint (name, version, shape, status, epoch)
      values ('one', 1, '10', 'current', 1), ('two', 1, '1', 'current', 1)`);
    const newer = candidate(TURN_MS, whenTold, { shape: '10' });
    await eventually(() => expect(newer.led()).toEqual(NAMES));
    const older = candidate(TURN_MS, whenTold, { shape: '9' });
    await newer.leadership.stop();
    await eventually(() => expect(older.led()).toEqual(['two']));
    await older.turns();
    expect(older.led()).toEqual(['two']);
    await test.db.query("update projector.leader set seen_at = seen_at - interval '1 minute'");
    await eventually(() => expect(older.led()).toEqual(NAMES));
    await test.db.query('delete from projector.checkpoint');
  });

  it('leads on what readers see while a newer shape is built beside it, until that takes over', async () => {
    await test.db.script(`insert into projector.checkpoint (name, version, shape, status, epoch)
      values ('one', 1, '9', 'current', 1), ('two', 1, '9', 'current', 1)`);
    const older = candidate(TURN_MS, whenTold, { shape: '9' });
    await eventually(() => stillLeads(older));
    const newer = candidate(TURN_MS, whenTold, { shape: '10' });
    const third = candidate(TURN_MS, whenTold, { shape: '10' });
    await eventually(() => expect([...newer.led(), ...third.led()].sort()).toEqual(NAMES));
    const shown = () => test.db.query("select seen_at from projector.leader where name = 'one/10'");
    const before = await shown();
    await Promise.all([older, newer, third].map(({ turns }) => turns()));
    expect(await shown()).not.toEqual(before);
    stillLeads(older);
    expect(newer.reigns.length + third.reigns.length).toBe(2);
    await third.leadership.stop();
    await eventually(() => expect(newer.led()).toEqual(NAMES));
    const built = newer.reigns.findLast(({ name }) => name === 'one')!;
    const count = newer.reigns.length;
    await test.db.script(`update projector.checkpoint set status = 'retired', epoch = epoch + 1 where name = 'one';
      insert into projector.checkpoint (name, version, shape, status, epoch) values ('one', 2, '10', 'current', ${built.epoch})`);
    await eventually(() => expect(older.led()).toEqual(['two']));
    await eventually(() => expect(newer.reigns.slice(count)).toMatchObject([{ name: 'one', epoch: built.epoch + 1 }]));
    expect(built.signal.aborted).toBe(true);
    await Promise.all([older.turns(), newer.turns()]);
    expect([older.led(), newer.led()]).toEqual([['two'], NAMES]);
    // Nobody ended its session to get at the lock of the one: it leads the other as before.
    expect(older.reigns.map(({ signal }) => signal.aborted).sort()).toEqual([false, true]);
    await test.db.query('delete from projector.checkpoint');
  });

  it('ends what an older one builds as soon as the newer is led again', async () => {
    await test.db.script(`update projector.leader set seen_at = seen_at - interval '1 minute';
      insert into projector.checkpoint (name, version, shape, status, epoch) values ('one', 1, '10', 'current', 1)`);
    const older = candidate(TURN_MS, whenTold, { shape: '9' });
    await eventually(() => expect(older.led()).toEqual(NAMES));
    const newer = candidate(TURN_MS, whenTold, { shape: '10' });
    await eventually(() => expect(newer.led()).toEqual(['one']));
    await eventually(() => expect(older.led()).toEqual(['two']));
    await test.db.query('delete from projector.checkpoint');
  });

  it('leaves a newer build that has just taken over alone before anybody has led it', async () => {
    await test.db.script(`update projector.leader set seen_at = seen_at - interval '1 minute';
      insert into projector.leader (name, epoch) values ('one/10', 1) on conflict (name) do update set seen_at = now();
      insert into projector.checkpoint (name, version, shape, status, epoch) values ('one', 2, '10', 'current', 1)`);
    const older = candidate(TURN_MS, whenTold, { shape: '9' });
    await eventually(() => expect(older.led()).toEqual(['two']));
    await older.turns();
    expect(older.led()).toEqual(['two']);
    await test.db.query('delete from projector.checkpoint');
  });

  it('leads again after its connection was cut', async () => {
    const a = candidate();
    await eventually(() => expect(a.led()).toEqual(NAMES));
    await test.db.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    await eventually(() => expect(a.reigns.length).toBeGreaterThanOrEqual(4));
    await eventually(() => expect(a.led()).toEqual(NAMES));
    const b = candidate();
    await Promise.all([a.turns(), b.turns()]);
    expect([a.led(), b.led()]).toEqual([NAMES, []]);
  });

  it('keeps the lock of what it leads anew on another connection than the one of the reign before', async () => {
    let fails = true;
    const answered = async (statement: string) => {
      if (!fails || !statement.startsWith('with seen')) return;
      fails = false;
      throw new Error('no');
    };
    const a = candidate(TURN_MS, (signal, nth) => (nth === 1 ? Promise.resolve() : whenTold(signal)), { answered });
    await eventually(() => stillLeads(a, 4));
    const b = candidate();
    await Promise.all([a.turns(), b.turns()]);
    stillLeads(a, 4);
    expect(b.led()).toEqual([]);
  });
});
