import { setTimeout as sleep } from 'node:timers/promises';
import { CommandHandler } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { instant, Semaphore, uuidv7 } from '#kernel';
import type { Database } from '#postgres';
import { mediaAggregate } from '#studio';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { rebuildable } from '../projections/all-projections';
import { FencedError } from '../projections/checkpoint';
import { LogFeed } from '../projections/log-feed';
import { outboxProjection } from '../projections/outbox.projection';
import { Progress } from '../projections/progress';
import type { Projection } from '../projections/projection';
import { ProjectionRunner } from '../projections/projection-runner';
import { dropRetired, rebuild } from './rebuild';
import { verifyProjection } from './verify';

const AT = instant('2026-05-01T10:00:00.000Z');

describe.each(['media', 'audit'])('a rebuild of %s', (name) => {
  const projection = rebuildable.find((it) => it.name === name)!;
  let test: TestDatabase;
  let store: MemoryEventStore;
  let commands: CommandHandler;
  let feed: LogFeed;
  let progress: Progress;
  let added = 0;
  const stop = new AbortController();

  beforeAll(async () => {
    test = await testDatabase();
    store = new MemoryEventStore();
    commands = new CommandHandler(store);
    feed = new LogFeed(store, () => undefined);
    progress = new Progress(
      test.db,
      () => undefined,
      () => undefined,
    );
    await add(1_200);
    lead(1).catch(() => undefined);
    await caughtUp();
  });
  afterAll(async () => {
    stop.abort();
    await feed.stop();
    await progress.stop();
    await test.drop();
  });

  const add = async (count: number) => {
    for (let n = 0; n < count; n++) {
      const mediaId = `med_${++added}`;
      const context = {
        workspace: `ws_${added % 3}`,
        actor: 'usr_1',
        correlationId: 'c',
        causationId: null,
        commandId: uuidv7(),
        at: AT,
      };
      const command = {
        type: 'AddMedia',
        at: AT,
        actor: 'usr_1',
        mediaId,
        kind: 'image',
        url: null,
        bytes: null,
      } as const;
      await commands.handle(mediaAggregate, mediaId, command, context);
    }
  };
  /** Leads again whenever a switch has fenced it off, as the leadership does. */
  const lead = async (epoch: number): Promise<void> => {
    const parts = { db: test.db, feed, progress, gate: new Semaphore(2), onFault: () => undefined };
    for (; !stop.signal.aborted; epoch += 100) await new ProjectionRunner(projection, parts).lead(epoch, stop.signal);
  };
  const rows = async () => (await test.db.query<{ n: number }>(`select count(*)::int as n from read.${name}`))[0]!.n;
  const caughtUp = () => eventually(async () => expect(await rows()).toBe(added));

  it('is stopped at random, goes on, and never shows readers less than before', async () => {
    let least = await rows();
    let isDone = false;
    const watching = (async () => {
      while (!isDone) {
        const now = await rows();
        expect(now).toBeGreaterThanOrEqual(least);
        least = now;
      }
    })();
    const positions: number[] = [];
    let version: number | undefined;
    for (let kills = 0; version === undefined; kills++) {
      const kill = new AbortController();
      const rebuilding = rebuild({ db: test.db, store }, projection, {
        signal: kill.signal,
        onProgress: ({ position }) => positions.push(position),
      });
      if (kills < 4) {
        await add(50);
        await sleep(Math.random() * 10);
        kill.abort();
      }
      version = await rebuilding;
    }
    isDone = true;
    await watching;
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    await add(10);
    await caughtUp();
    const builds = await test.db.query('select version, status from projector.checkpoint order by version');
    expect(builds).toEqual([
      { version: 1, status: 'retired' },
      { version: 2, status: 'current' },
    ]);
    expect(await dropRetired(test.db, projection, 3_600_000)).toEqual([]);
    expect(await dropRetired(test.db, projection, 0)).toEqual([1]);
    expect(await test.db.query(`select to_regclass('read.${name}_v1') as found`)).toEqual([{ found: null }]);
  });

  it('is equal to the log afterwards, and a verification that is killed leaves nothing behind', async () => {
    const verify = () => verifyProjection({ db: test.db, store }, projection);
    expect(await verify()).toMatchObject({ difference: undefined });
    const killed = verifyProjection({ db: test.db, store }, projection, () => {
      throw new Error('killed');
    });
    await expect(killed).rejects.toThrow('killed');
    expect(await test.db.query(`select to_regclass('read.${name}_v0') as found`)).toEqual([{ found: null }]);
  });

  it('is compared as it was at one moment, while it goes on', async () => {
    const goingOn = Object.assign(Object.create(store) as MemoryEventStore, {
      readAll: async (range: Parameters<MemoryEventStore['readAll']>[0]) => {
        await add(1);
        await caughtUp();
        return store.readAll(range);
      },
    });
    const { position, difference } = await verifyProjection({ db: test.db, store: goingOn }, projection);
    expect({ difference, goneOn: (await rows()) > position }).toEqual({ difference: undefined, goneOn: true });
  });

  it('finds a row that was changed by hand', async () => {
    await test.db.query(`update read.${name}_v2 set revision = 9 where position = 17`);
    const { difference } = await verifyProjection({ db: test.db, store }, projection);
    expect(difference).toMatchObject({ position: 17, reason: 'changed' });
  });

  it('finds a row that was deleted by hand', async () => {
    await test.db.query(`delete from read.${name}_v2 where position = 11`);
    const { difference } = await verifyProjection({ db: test.db, store }, projection);
    expect(difference).toMatchObject({ position: 11, reason: 'missing' });
  });

  it('leaves readers alone while somebody keeps the view or a former table, and goes on once they are free', async () => {
    const session = await test.db.session();
    const keep = async (relation: string) => {
      await session.script('set idle_in_transaction_session_timeout = 0; begin');
      await session.query(`select from read.${relation} limit 1`);
    };
    await keep(name);
    const rebuilding = rebuild({ db: test.db, store }, projection);
    const waiting = () =>
      test.db.query('select from pg_locks where not granted and relation = $1::regclass', [`read.${name}`]);
    await eventually(async () => expect(await waiting()).toHaveLength(1), { every: 20 });
    expect(await rows()).toBeGreaterThan(0);
    await session.script('commit');
    expect(await rebuilding).toBe(3);

    await keep(`${name}_v2`);
    expect(await dropRetired(test.db, projection, 0)).toEqual([]);
    await session.script('commit');
    session.release();
    expect(await dropRetired(test.db, projection, 0)).toEqual([2]);
  });
});

it('is refused for what acts on the world, which nothing may make act again', async () => {
  const outbox = outboxProjection(() => undefined);
  await expect(rebuild({ db: {} as Database, store: new MemoryEventStore() }, outbox)).rejects.toThrow(
    'outbox acts on the world; it is never done again.',
  );
});

describe.each([false, true])('a rebuild in many batches (each adds rows of its own: %s)', (isAppended) => {
  const BATCH = isAppended ? 1_000 : 5_000;
  const EVENTS = 2 * BATCH + 500;
  let test: TestDatabase;
  let store: MemoryEventStore;
  beforeAll(async () => {
    test = await testDatabase();
    store = new MemoryEventStore();
    const metadata = {
      workspace: 'ws_1',
      actor: 'usr_1',
      correlationId: 'c',
      causationId: null,
      commandId: 'k',
      schemaVersion: 1,
      occurredAt: AT,
    };
    const events = Array.from({ length: EVENTS }, () => ({ id: uuidv7(), type: 'Counted', data: {}, metadata }));
    await store.append('thing-ws_1:a', events, -1);
  });
  afterAll(() => test.drop());
  beforeEach(() =>
    test.db.script(
      'drop table if exists public.counted; create table public.counted as select 0 as n; truncate projector.checkpoint',
    ),
  );

  /** Counts events. What did not wait for a batch to be written would have time to overtake it. */
  const counted: Projection = {
    name: 'counted',
    shape: '1',
    paceMs: 0,
    wants: () => true,
    build: () => ({
      isAppended,
      prepare: async () => undefined,
      changes: async (sql, { events }) => {
        const before = isAppended ? 'n' : (await sql.query<{ n: number }>('select n from public.counted'))[0]!.n;
        const text = `update public.counted set n = ${before} + $1::int from fence, pg_sleep(0.05)`;
        return { writes: [{ text, params: [events.length] }] };
      },
    }),
    scratch: () => {
      throw new Error('Nobody verifies it');
    },
  };
  /** How many were counted, and where the build is. */
  const state = async () =>
    (
      await test.db.query(
        'select n, position, status from public.counted, projector.checkpoint where name = $1 order by version',
        [counted.name],
      )
    ).at(-1);

  it('writes each on what the one before has written, and switches behind the last', async () => {
    expect(await rebuild({ db: test.db, store }, counted)).toBe(1);
    expect(await state()).toEqual({ n: EVENTS, position: EVENTS, status: 'current' });
  });

  it('passes over none that could not be written', async () => {
    let fails = true;
    const db = Object.assign(Object.create(test.db) as Database, {
      query: async (text: string, params: unknown[]) => {
        if (!fails || !text.includes('update public.counted')) return test.db.query(text, params);
        fails = false;
        throw new Error('away');
      },
    });
    await expect(rebuild({ db, store }, counted)).rejects.toThrow('away');
    expect(await rebuild({ db, store }, counted)).toBe(1);
    expect(await state()).toEqual({ n: EVENTS, position: EVENTS, status: 'current' });
  });

  it('writes no more once another has taken it over', async () => {
    let readOn: () => void = () => undefined;
    const held = new Promise<void>((go) => (readOn = go));
    const slow = Object.assign(Object.create(store) as MemoryEventStore, {
      readAll: (range: Parameters<MemoryEventStore['readAll']>[0]) => held.then(() => store.readAll(range)),
    });
    let hasBegun = false;
    const first = rebuild({ db: test.db, store: slow }, counted, { onBegin: () => void (hasBegun = true) });
    await eventually(() => hasBegun);
    expect(await rebuild({ db: test.db, store }, counted)).toBe(1);
    readOn();
    await expect(first).rejects.toBeInstanceOf(FencedError);
    expect(await state()).toEqual({ n: EVENTS, position: EVENTS, status: 'current' });
  });

  it('is stopped when what it has begun to write is written', async () => {
    const stop = new AbortController();
    const stopped = rebuild({ db: test.db, store }, counted, { signal: stop.signal, onProgress: () => stop.abort() });
    expect(await stopped).toBeUndefined();
    expect(await state()).toEqual({ n: BATCH, position: BATCH, status: 'building' });
  });
});
