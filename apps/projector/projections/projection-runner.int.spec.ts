import timers from 'node:timers/promises';
import type { RecordedEvent } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { eventIdOf, Semaphore } from '#kernel';
import { Database, type Sql, type Write } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { FencedError, type Checkpoint } from './checkpoint';
import { LogFeed } from './log-feed';
import { Progress } from './progress';
import type { Projection } from './projection';
import { ProjectionRunner, type RunnerParts } from './projection-runner';
import { switchBuild } from './switch-build';

/** Writes each event's number into a table; `refuses` makes an event impossible to take. */
const counting = (name: string, refuses: (n: number) => boolean = () => false): Projection => ({
  name,
  shape: '1',
  paceMs: 0,
  wants: () => true,
  build: () => ({
    prepare: (sql) => sql.script(`create table if not exists public.${name} (n int)`),
    async changes(_, { events }) {
      const poison = events.map(numberOf).find(refuses);
      if (poison !== undefined) throw new Error(`${poison} is poison`);
      return { writes: [inserting(name, events)] };
    },
  }),
});
const inserting = (table: string, events: readonly RecordedEvent[]): Write => ({
  text: `insert into public.${table} (n) select n from unnest($1::int[]) with ordinality numbers (n, no), fence order by no`,
  params: [events.map(numberOf)],
});
const numberOf = ({ data }: RecordedEvent): number => (data as { n: number }).n;

describe('a projection', () => {
  let test: TestDatabase;
  let store: MemoryEventStore;
  let feed: LogFeed;
  let progress: Progress;
  let stop: AbortController;
  let faults: Error[];
  let appended: number;
  let reigning: Promise<void>[];

  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());
  beforeEach(() => {
    [store, stop, faults, appended, reigning] = [new MemoryEventStore(), new AbortController(), [], 0, []];
    feed = new LogFeed(store, () => undefined);
    progress = new Progress(
      test.db,
      () => undefined,
      (error) => faults.push(error),
    );
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(reigning);
    await feed.stop();
    await progress.stop();
    await test.db.script(`truncate projector.checkpoint; drop view if exists shown; drop table if exists counted, other,
      counted_1, counted_2, counted_3, indexed_1, indexed_2, indexed_3`);
  });

  const append = async (count: number) => {
    for (let n = 0; n < count; n++) {
      const metadata = {
        workspace: 'ws_1',
        actor: 'system',
        correlationId: 'c',
        causationId: null,
        commandId: 'x',
        schemaVersion: 1,
        occurredAt: '2026-05-01T10:00:00.000Z',
      };
      appended++;
      const event = { id: eventIdOf('run', appended), type: 'Counted', data: { n: appended }, metadata };
      await store.append(`thing-ws_1:${appended}`, [event], -1);
    }
  };
  const runnerOf = (projection: Projection, db = test.db, more: Partial<RunnerParts> = {}) =>
    new ProjectionRunner(projection, {
      db,
      feed,
      progress,
      gate: new Semaphore(3),
      onFault: (error) => faults.push(error),
      poisonPauseMs: { first: 20, last: 50 },
      ...more,
    });
  const lead = (runner: ProjectionRunner, epoch: number) => {
    const reign = runner.lead(epoch, stop.signal);
    reigning.push(reign);
    return reign;
  };
  /** One reign after the other, as the one process that there is gets them. */
  const reigns = async (runner: ProjectionRunner) => {
    for (let epoch = 1; !stop.signal.aborted; epoch++) await lead(runner, epoch);
  };
  const ended = async (reign: Promise<void>) => {
    stop.abort();
    await reign;
    stop = new AbortController();
  };
  const rows = async (table: string) =>
    (await test.db.query<{ n: number }>(`select n from public.${table} order by n`)).map(({ n }) => n);
  const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1);
  const checkpoint = async (name: string) =>
    (await test.db.query<{ position: number }>('select position from projector.checkpoint where name = $1', [name]))[0]
      ?.position;

  it('writes rows and checkpoint together, and goes on where it was', async () => {
    await append(5);
    const first = lead(runnerOf(counting('counted')), 1);
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(5)));
    stop.abort();
    await first;
    stop = new AbortController();
    void lead(runnerOf(counting('counted')), 2);
    await append(3);
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(8)));
    expect(await checkpoint('counted')).toBe(8);
  });

  it('moves its checkpoint also when there is nothing to write', async () => {
    void lead(runnerOf({ ...counting('counted'), wants: () => false }), 1);
    await append(4);
    await eventually(async () => expect(await checkpoint('counted')).toBe(4));
  });

  it('is given no event that it does not want', async () => {
    void lead(runnerOf({ ...counting('counted'), wants: (event) => numberOf(event) % 2 === 1 }), 1);
    await append(4);
    await eventually(async () => expect(await checkpoint('counted')).toBe(4));
    expect(await rows('counted')).toEqual([1, 3]);
  });

  it('takes what comes before a poison event, says where it stopped and why, and lets the others go on', async () => {
    let poison = 7;
    const sizes: number[] = [];
    const onBatch = (_: string, events: number) => void sizes.push(events);
    const told: unknown[][] = [];
    const onStopped = (...stop: unknown[]) => void told.push(stop);
    const sick = runnerOf(
      counting('counted', (n) => n === poison),
      test.db,
      { onBatch, onStopped },
    );
    const well = runnerOf(counting('other'));
    void lead(sick, 1);
    void lead(well, 1);
    await append(10);
    await eventually(async () => expect(await rows('other')).toEqual(upTo(10)));
    await eventually(() =>
      expect(sick.stopped).toEqual({
        position: 7,
        eventId: eventIdOf('run', 7),
        eventType: 'Counted',
        reason: '7 is poison',
      }),
    );
    expect(told[0]).toEqual(['counted', sick.stopped]);
    expect(await rows('counted')).toEqual(upTo(6));
    sizes.length = 0;
    poison = 0;
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(10)));
    await eventually(() => expect(sick.stopped).toBeUndefined());
    // One after the other no longer, once the event that stood alone was taken.
    expect(sizes).toEqual([1, 2, 1]);
  });

  describe('pauses', () => {
    let slept: jest.SpiedFunction<typeof timers.setTimeout>;
    beforeEach(() => (slept = jest.spyOn(timers, 'setTimeout')));
    afterEach(() => slept.mockRestore());
    const pauses = () =>
      slept.mock.calls.filter(([, , options]) => options?.signal === stop.signal).map(([ms]) => Number(ms));

    it('ever longer before it looks again at what stopped it, up to a bound, and shortly at the next', async () => {
      let poison = 1;
      const sick = counting('counted', (n) => n === poison);
      void lead(runnerOf(sick, test.db, { poisonPauseMs: { first: 1, last: 5 } }), 1);
      await append(1);
      await eventually(() => expect(pauses().slice(0, 5)).toEqual([1, 2, 4, 5, 5]));
      poison = 2;
      await eventually(async () => expect(await rows('counted')).toEqual([1]));
      slept.mockClear();
      await append(1);
      await eventually(() => expect(pauses()[0]).toBe(1));
    });

    it('after what it has taken, so that a burst travels together', async () => {
      void lead(runnerOf({ ...counting('counted'), paceMs: 3_600_000 }), 1);
      await append(1);
      await eventually(async () => expect(await rows('counted')).toEqual([1]));
      await eventually(() => expect(pauses()[0]).toBeGreaterThan(3_000_000));
    });

    it('not before more that is there already', async () => {
      await append(2);
      const { events } = await store.readAll({ after: 0, limit: 1 });
      jest.spyOn(feed, 'next').mockResolvedValueOnce({ events, position: 1, isFull: true });
      void lead(runnerOf({ ...counting('counted'), paceMs: 3_600_000 }), 1);
      await eventually(async () => expect(await rows('counted')).toEqual([1, 2]));
    });
  });

  it('says no more where it is, nor what stopped it, once it leads no longer', async () => {
    const runner = runnerOf(counting('counted', () => true));
    const reign = lead(runner, 1);
    await append(1);
    await eventually(() => expect(runner).toMatchObject({ checkpoint: { position: 0 }, stopped: { position: 1 } }));
    await ended(reign);
    expect(runner).toMatchObject({ checkpoint: undefined, stopped: undefined });
  });

  it('waits for its turn to write, but for what is urgent', async () => {
    const gate = new Semaphore(1);
    let free: () => void = () => undefined;
    void gate.run(() => new Promise<void>((go) => (free = go)));
    void lead(runnerOf(counting('counted'), test.db, { gate }), 1);
    void lead(runnerOf({ ...counting('other'), urgent: true }, test.db, { gate }), 1);
    for (const count of [3, 6]) {
      await append(3);
      await eventually(async () => expect(await rows('other')).toEqual(upTo(count)));
    }
    await eventually(async () => expect(await rows('counted')).toEqual([]));
    free();
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(6)));
  });

  it('has a build forget what it remembers of changes that were not written', async () => {
    let forgot = 0;
    const failing = counting('counted', (n) => n === 2 && forgot === 0);
    const build = (version: number) => ({ ...failing.build(version), forget: () => void forgot++ });
    void lead(runnerOf({ ...failing, build }), 1);
    await append(3);
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(3)));
  });

  it('writes no row once another leads', async () => {
    const old = lead(runnerOf(counting('counted')), 1);
    await append(3);
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(3)));
    await test.db.query('update projector.checkpoint set epoch = 2');
    await append(3);
    await old;
    expect(faults.at(-1)).toBeInstanceOf(FencedError);
    expect(await rows('counted')).toEqual(upTo(3));
    expect(await checkpoint('counted')).toBe(3);
  });

  it('writes no row when it comes to lead after another has', async () => {
    await append(3);
    const first = lead(runnerOf(counting('counted')), 2);
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(3)));
    await ended(first);
    await append(3);
    await lead(runnerOf(counting('counted')), 1);
    expect(faults.at(-1)).toBeInstanceOf(FencedError);
    expect(await test.db.query('select epoch, position from projector.checkpoint')).toEqual([
      { epoch: 2, position: 3 },
    ]);
  });

  it('does again what a crash of the database took back', async () => {
    const first = lead(runnerOf(counting('counted')), 1);
    await append(6);
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(6)));
    // As after a crash: the last lazy commits are gone, rows and checkpoint alike.
    await test.db.script('delete from public.counted where n > 4; update projector.checkpoint set position = 4');
    await append(1);
    await first;
    expect(faults.at(-1)).toBeInstanceOf(FencedError);
    void lead(runnerOf(counting('counted')), 2);
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(7)));
  });

  it('survives cut connections without missing or doubling a row', async () => {
    void reigns(runnerOf(counting('counted')));
    // Whose own connection is none of those it cuts.
    const cutter = new Database(test.url, { max: 1 });
    for (let round = 0; round < 5; round++) {
      await append(20);
      await cutter.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query like '%counted%'",
      );
    }
    await cutter.end();
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(100)));
  });

  it('waits for a database that may only be read for a while, and takes no event for what is wrong', async () => {
    const runner = runnerOf(counting('counted'));
    const readOnly = async (value: 'on' | 'off') => {
      const name = new URL(test.url).pathname.slice(1);
      await test.db.script(
        `begin read write; alter database ${name} set default_transaction_read_only = ${value}; commit`,
      );
      await test.db.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      await test.db.query('select pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
    };
    void reigns(runner);
    await append(2);
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(2)));
    await readOnly('on');
    await append(3);
    const refused = () => faults.map(({ message }) => message).filter((message) => message.includes('read-only'));
    await eventually(() => expect(refused().length + (runner.stopped ? 1 : 0)).toBeGreaterThan(0));
    expect(runner.stopped).toBeUndefined();
    await readOnly('off');
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(5)));
  });

  it('doubles nothing when a statement whose connection was cut still runs, after the one that was sent in its stead', async () => {
    let late: (() => Promise<unknown>) | undefined;
    const db = Object.assign(Object.create(test.db) as Database, {
      query: (text: string, params: unknown[]) => {
        if (late || !text.includes('public.counted')) return test.db.query(text, params);
        late = () => test.db.query(text, params);
        return Promise.reject(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
      },
    });
    await append(3);
    void reigns(runnerOf(counting('counted'), db));
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(3)));
    await late!();
    expect(await rows('counted')).toEqual(upTo(3));
    await append(1);
    await eventually(async () => expect(await rows('counted')).toEqual(upTo(4)));
  });

  /** Readers see it, and its index says how many rows there were when it was made. */
  const shown = (shape: string): Projection => ({
    ...counting('counted'),
    shape,
    build: (version) => ({
      prepare: (sql) =>
        sql.script(`create table if not exists public.counted_${version} (n int);
          create table if not exists public.indexed_${version} (n int)`),
      indexes: [`insert into public.indexed_${version} select count(*) from public.counted_${version}`],
      publish: (sql) =>
        sql.script(
          `drop view if exists public.shown; create view public.shown as select * from public.counted_${version}`,
        ),
      changes: async (_, { events }) => ({ writes: [inserting(`counted_${version}`, events)] }),
    }),
  });
  const builds = () => test.db.query('select version, status from projector.checkpoint order by version');

  it('takes over from the build of another shape only once it has caught up, and never shows less', async () => {
    await append(30);
    const first = lead(runnerOf(shown('1')), 1);
    await eventually(async () => expect(await rows('shown')).toHaveLength(30));
    await ended(first);
    let least = 30;
    const watching = (async () => {
      while (!stop.signal.aborted) least = Math.min(least, (await rows('shown')).length);
    })();
    void lead(runnerOf(shown('2')), 2);
    await eventually(async () =>
      expect(await builds()).toEqual([
        { version: 1, status: 'retired' },
        { version: 2, status: 'current' },
      ]),
    );
    expect((await rows('indexed_2'))[0]).toBe(30);
    await append(1);
    await eventually(async () => expect(await rows('shown')).toHaveLength(31));
    stop.abort();
    await watching;
    expect(least).toBe(30);
  });

  it('builds another shape beside a leader that goes on, and ends its reign by taking over', async () => {
    await append(3);
    const older = lead(runnerOf(shown('1')), 1);
    await eventually(async () => expect(await rows('shown')).toEqual(upTo(3)));
    await test.db.tx(async (report) => {
      // Keeps the new build from taking over.
      await report.query('select from public.shown');
      void lead(runnerOf(shown('2')), 2);
      await eventually(async () => expect(await rows('counted_2')).toEqual(upTo(3)));
      await append(2);
      await eventually(async () => expect(await rows('shown')).toEqual(upTo(5)));
    });
    await eventually(async () => expect(await builds()).toContainEqual({ version: 2, status: 'current' }));
    await append(1);
    await older;
    expect(await rows('counted_1')).toEqual(upTo(5));
    await eventually(async () => expect(await rows('shown')).toEqual(upTo(6)));
  });

  it('makes an index that the code has and the current build has not', async () => {
    await append(3);
    const first = lead(runnerOf(shown('1')), 1);
    await eventually(async () => expect(await rows('shown')).toEqual(upTo(3)));
    await ended(first);
    void lead(runnerOf(shown('1')), 2);
    await eventually(async () => expect(await rows('indexed_1')).toEqual([0, 3]));
  });

  it('takes over with a build that had caught up before this process led, though nothing happens any more', async () => {
    await append(3);
    const first = lead(runnerOf(shown('1')), 1);
    await eventually(async () => expect(await rows('shown')).toEqual(upTo(3)));
    await ended(first);
    await test.db.script(`insert into projector.checkpoint (name, version, shape, status, epoch, position)
      values ('counted', 2, '2', 'building', 1, 3)`);
    void lead(runnerOf(shown('2')), 2);
    await eventually(async () => expect(await builds()).toContainEqual({ version: 2, status: 'current' }));
  });

  it('takes over with no build that another has been given, nor with one of which a crash has taken something back', async () => {
    const projection = shown('2');
    await test.db.script(`insert into projector.checkpoint (name, version, shape, status, epoch, position)
      values ('counted', 1, '1', 'current', 2, 3), ('counted', 2, '2', 'building', 2, 3)`);
    const take = async (epoch: number, known: number) => {
      const checkpoint = { name: 'counted', version: 2, epoch, position: known, known };
      const build = projection.build(2);
      await build.prepare(test.db);
      return switchBuild(test.db, projection, { build, checkpoint, status: 'building' });
    };
    await expect(take(1, 3)).rejects.toBeInstanceOf(FencedError);
    await expect(take(2, 4)).rejects.toBeInstanceOf(FencedError);
    expect(await builds()).toEqual([
      { version: 1, status: 'current' },
      { version: 2, status: 'building' },
    ]);
    expect(await take(2, 3)).toBe(true);
  });

  it('holds up nobody for long who would lead, should it freeze while it takes over', async () => {
    await test.db.script(`insert into projector.checkpoint (name, version, shape, status, epoch, position)
      values ('counted', 1, '1', 'building', 1, 3)`);
    let timeout: unknown;
    const publish = async (sql: Sql) => void (timeout = await sql.query('show idle_in_transaction_session_timeout'));
    const checkpoint = { name: 'counted', version: 1, epoch: 1, position: 3, known: 3 };
    const build = { ...shown('1').build(1), indexes: [], publish };
    expect(await switchBuild(test.db, shown('1'), { build, checkpoint, status: 'building' })).toBe(true);
    expect(timeout).toEqual([{ idle_in_transaction_session_timeout: '2s' }]);
  });

  it('waits for what came to the current build while its own indexes were made', async () => {
    await test.db.script(`insert into projector.checkpoint (name, version, shape, status, epoch, position)
      values ('counted', 1, '1', 'current', 2, 3), ('counted', 2, '2', 'building', 2, 3)`);
    const indexes = ['update projector.checkpoint set position = 4 where version = 1'];
    const build = { ...shown('2').build(2), indexes };
    const checkpoint = { name: 'counted', version: 2, epoch: 2, position: 3, known: 3 };
    expect(await switchBuild(test.db, shown('2'), { build, checkpoint, status: 'building' })).toBe(false);
    expect(await builds()).toContainEqual({ version: 1, status: 'current' });
  });

  it('waits for what the current build is just being given, and does not take over with less', async () => {
    await test.db.script(`insert into projector.checkpoint (name, version, shape, status, epoch, position)
      values ('counted', 1, '1', 'current', 2, 3), ('counted', 2, '2', 'building', 2, 3)`);
    const build = { ...shown('2').build(2), indexes: [] };
    await build.prepare(test.db);
    const checkpoint = { name: 'counted', version: 2, epoch: 2, position: 3, known: 3 };
    const waiting = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let switching: Promise<boolean> | undefined;
    await test.db.tx(async (leader) => {
      await leader.query('update projector.checkpoint set position = 4 where version = 1');
      switching = switchBuild(test.db, shown('2'), { build, checkpoint, status: 'building' });
      await eventually(async () => expect(await test.db.query(waiting)).toHaveLength(1));
    });
    expect(await switching).toBe(false);
    expect(await builds()).toContainEqual({ version: 1, status: 'current' });
  });

  it('is as far as the build that readers see, however far the one beside it has come', async () => {
    await append(3);
    const first = lead(runnerOf(shown('1')), 1);
    await eventually(async () => expect(await rows('shown')).toEqual(upTo(3)));
    await ended(first);
    await append(2);
    const announced: string[] = [];
    const announce = ({ version, position }: Checkpoint) => void announced.push(`${version}:${position}`);
    await test.db.tx(async (report) => {
      // Keeps the new build from taking over.
      await report.query('select from public.shown');
      void lead(runnerOf(shown('2'), test.db, { progress: { announce } }), 2);
      await eventually(async () => expect(await rows('counted_2')).toEqual(upTo(5)));
      expect(announced).toEqual([]);
    });
    await eventually(() => expect(announced).toEqual(['2:5']));
    expect(await rows('shown')).toEqual(upTo(5));
    await append(1);
    await eventually(() => expect(announced.at(-1)).toBe('2:6'));
  });

  it('leaves no build behind that was begun for a shape which nobody builds any more', async () => {
    await append(3);
    const first = lead(runnerOf(shown('1')), 1);
    await eventually(async () => expect(await rows('shown')).toEqual(upTo(3)));
    await ended(first);
    await test.db.script(`insert into projector.checkpoint (name, version, shape, status, epoch)
      values ('counted', 2, '2', 'building', 1), ('other', 1, '2', 'building', 1), ('other', 3, '3', 'building', 1)`);
    void lead(runnerOf(shown('3')), 2);
    await eventually(async () =>
      expect(
        await test.db.query('select name, version, status, position from projector.checkpoint order by 1, 2'),
      ).toEqual([
        { name: 'counted', version: 1, status: 'retired', position: 3 },
        { name: 'counted', version: 2, status: 'retired', position: 0 },
        { name: 'counted', version: 3, status: 'current', position: 3 },
        { name: 'other', version: 1, status: 'building', position: 0 },
        { name: 'other', version: 3, status: 'building', position: 0 },
      ]),
    );
  });
});
