import { CommandHandler } from '#event-store';
import { PostgresEventStore } from '#event-store/postgres/postgres-event-store';
import { systemClock, uuidv7 } from '#kernel';
import { mediaAggregate } from '#studio';
import { eventually, ownPort, testDatabase, type TestDatabase } from '#testing';
import { rebuildable } from '../../apps/projector/projections/all-projections';
import { verifyProjection } from '../../apps/projector/rebuild/verify';
import { Program } from '../harness/program';

/** Notes who writes a row of the projector's tables, by the name that each process gives its connections. */
const WATCH = `
  create schema watch;
  create table watch.written (id bigserial, by text, what text);
  create function watch.note() returns trigger language plpgsql as $$ begin
    insert into watch.written (by, what) values (current_setting('application_name'), tg_table_schema || '.' || tg_table_name);
    return null;
  end $$;
  do $$ declare it record; begin
    for it in select c.oid::regclass as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where (n.nspname in ('read', 'projector') or c.oid = 'bus.message'::regclass) and c.relkind in ('r', 'p') and not c.relispartition
    loop
      execute format('create trigger watched after insert or update or delete on %s for each row execute function watch.note()', it.name);
    end loop;
  end $$`;

/** Whoever leads, dead or frozen, another one does so and has caught up after this long. */
const HANDED_OVER_MS = 5_000;

interface Process {
  readonly name: string;
  readonly program: Program;
  readonly url: string;
}

describe('two projectors on one database', () => {
  let test: TestDatabase;
  let store: PostgresEventStore;
  let commands: CommandHandler;
  let leader: Process;
  let other: Process;
  let written = 0;
  const took: number[] = [];
  let isOver = false;
  let writing: Promise<void>;

  beforeAll(async () => {
    test = await testDatabase();
    store = new PostgresEventStore(test.db);
    commands = new CommandHandler(store);
    leader = await start('one');
    await eventually(async () => expect((await leaders()).length).toBeGreaterThan(rebuildable.length));
    other = await start('two');
    await test.db.script(WATCH);
    writing = write();
  }, 240_000);
  afterAll(async () => {
    isOver = true;
    for (const { program } of [leader, other]) program.kill();
    await writing;
    await store.close();
    await test.drop();
  });

  async function start(name: string): Promise<Process> {
    const [port, database] = [await ownPort(), new URL(test.url)];
    database.searchParams.set('application_name', name);
    const program = Program.start(['dist/apps/projector/main.js'], {
      POSTLEDGER_MODE: 'sandbox',
      POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 3).toString('base64'),
      DATABASE_URL: database.href,
      PORT: String(port),
      LOG_LEVEL: 'warn',
    });
    const started = { name, program, url: `http://127.0.0.1:${port}` };
    await answers(started);
    return started;
  }

  const answers = ({ program, url }: Process) =>
    eventually(
      async () => {
        if (!program.isAlive) throw new Error(program.lines.join('\n'));
        expect((await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) })).status).toBe(200);
      },
      { within: 90_000, every: 50 },
    );

  async function write(): Promise<void> {
    while (!isOver) await add();
  }

  async function add(): Promise<void> {
    const mediaId = `med_${written++}`;
    const [commandId, at] = [uuidv7(), systemClock()];
    const command = { type: 'AddMedia', at, actor: 'usr_1', mediaId, kind: 'image', url: null, bytes: null } as const;
    const context = { workspace: 'ws_1', actor: 'usr_1', correlationId: 'c', causationId: null, commandId, at };
    await commands.handle(mediaAggregate, mediaId, command, context);
  }

  /** Process ids of those that lead, one for each projection. */
  const leaders = async () =>
    (await test.db.query<{ process: string }>('select process from projector.leader')).map(
      ({ process }) => /^projector (\d+) /.exec(process)![1]!,
    );
  const leads = ({ program }: Process) =>
    eventually(async () => expect(new Set(await leaders())).toEqual(new Set([String(program.pid)])), { every: 20 });
  /** Resolves when every projection has passed what is in the log now. */
  async function caughtUp(): Promise<void> {
    const head = await store.head();
    const behind = 'select name, position from projector.checkpoint where position < $1';
    await eventually(async () => expect(await test.db.query(behind, [head])).toEqual([]), { every: 20 });
  }
  /** How many milliseconds it takes from now on until the other leads and has caught up. */
  async function handedOver(): Promise<number> {
    const since = performance.now();
    await leads(other);
    await caughtUp();
    return performance.now() - since;
  }
  const writes = (by: Process, after = 0) =>
    test.db.query<{ what: string }>('select what from watch.written where by like $1 and id > $2', [
      `%(${by.name})`,
      after,
    ]);
  const newest = async () =>
    (await test.db.query<{ id: number }>('select coalesce(max(id), 0) as id from watch.written'))[0]!.id;
  const swap = () => void ([leader, other] = [other, leader]);

  it.each([1, 2, 3])('hand over from one that is frozen, and it writes no row when it wakes up (%i)', async () => {
    await eventually(async () => expect((await writes(leader)).length).toBeGreaterThan(0));
    leader.program.signal('SIGSTOP');
    took.push(await handedOver());
    const taken = await newest();
    leader.program.signal('SIGCONT');
    await answers(leader);
    const before = written;
    await eventually(() => expect(written).toBeGreaterThan(before + 50));
    await caughtUp();
    expect(await writes(leader, taken)).toEqual([]);
    expect((await writes(other, taken)).length).toBeGreaterThan(0);
    swap();
  });

  // One of them, since a machine may keep anybody waiting for a while.
  it('have handed over from a frozen one within 5 s', () =>
    expect(Math.min(...took)).toBeLessThanOrEqual(HANDED_OVER_MS));

  it('hand over from one that is killed within 5 s, with nothing lost', async () => {
    leader.program.kill();
    expect(await handedOver()).toBeLessThanOrEqual(HANDED_OVER_MS);
    isOver = true;
    await writing;
    await caughtUp();
    for (const projection of rebuildable.filter(({ name }) => ['media', 'audit'].includes(name)))
      expect(await verifyProjection({ db: test.db, store }, projection)).toMatchObject({ difference: undefined });
  });
});
