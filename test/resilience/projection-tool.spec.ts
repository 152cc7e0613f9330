import { setTimeout as sleep } from 'node:timers/promises';
import { streamName, type NewEvent } from '#event-store';
import { PostgresEventStore } from '#event-store/postgres/postgres-event-store';
import { uuidv7 } from '#kernel';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { Program } from '../harness/program';

const EVENTS = 40_000;
const AT = '2026-05-01T10:00:00.000Z';

describe('npm run projection, killed at random', () => {
  let test: TestDatabase;
  let store: PostgresEventStore;

  beforeAll(async () => {
    test = await testDatabase();
    store = new PostgresEventStore(test.db, { maxBatchEvents: 2_000 });
    for (let n = 0; n < EVENTS; n += 2_000)
      await Promise.all(Array.from({ length: 2_000 }, (_, of) => addMedia(`med_${n + of}`)));
    const first = tool('rebuild', 'media');
    await first.line(/version 1 is what readers see now/);
    // How far it is and how fast, once it has a pace.
    expect(first.lines[1]).toMatch(/^media: [1-9]\d* of \d+, [1-9]\d* events\/s, \d+ s left$/);
  }, 240_000);
  afterAll(async () => {
    for (const program of started) program.kill();
    await store.close();
    await test.drop();
  });

  const started: Program[] = [];
  function tool(...args: string[]): Program {
    const program = Program.start(['dist/apps/projector/cli.js', ...args], {
      DATABASE_URL: test.url,
      POSTLEDGER_MODE: 'sandbox',
      POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 3).toString('base64'),
    });
    started.push(program);
    return program;
  }

  function addMedia(mediaId: string): Promise<unknown> {
    const event: NewEvent = {
      id: uuidv7(),
      type: 'MediaAdded',
      data: { mediaId, kind: 'image', url: null, bytes: null },
      metadata: {
        workspace: 'ws_1',
        actor: 'usr_1',
        correlationId: 'c',
        causationId: null,
        commandId: uuidv7(),
        schemaVersion: 1,
        occurredAt: AT,
      },
    };
    return store.append(streamName('media', 'ws_1', mediaId), [event], -1);
  }
  const seen = async () =>
    (
      await test.db.query<{ rows: number; newest: number }>(
        'select count(*)::int as rows, max(position) as newest from read.media',
      )
    )[0]!;
  /** How far the build is that is not yet seen. */
  const built = async () =>
    (
      await test.db.query<{ position: number }>(
        "select position from projector.checkpoint where name = 'media' and status = 'building'",
      )
    )[0]!.position;
  /** Ends what a killed one has left to the server, and waits until nothing of it is there. */
  const noneAtWork = () =>
    eventually(async () =>
      expect(
        await test.db.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like '%projection-cli'",
        ),
      ).toEqual([]),
    );

  it('rebuilds on from where it was, and readers never see an empty or an older table', async () => {
    let isOver = false;
    const reading = (async () => {
      let [reads, least] = [0, await seen()];
      for (; !isOver; reads++) {
        const now = await seen();
        expect(now.rows).toBeGreaterThanOrEqual(least.rows);
        expect(now.newest).toBeGreaterThanOrEqual(least.newest);
        least = now;
      }
      return reads;
    })();
    const resumedAt: number[] = [];
    // However fast the machine, and however late the kill: a rebuild is not over before the last one.
    const unswitched = await test.db.session();
    await unswitched.script('begin; set local idle_in_transaction_session_timeout = 0');
    await unswitched.query(
      "select from projector.checkpoint where name = 'media' and status = 'current' for no key update",
    );
    for (let kill = 0; kill < 3; kill++) {
      await addMedia(`med_late_${kill}`);
      const killed = tool('rebuild', 'media');
      const [, position = '0'] = await killed.line(/version 2 is built (?:anew|on from position (\d+))/);
      resumedAt.push(Number(position));
      // The first may not have begun to write; the others have.
      if (kill > 0) await eventually(async () => expect(await built()).toBeGreaterThan(Number(position)));
      await sleep(Math.random() * 150);
      killed.kill();
      await killed.ended;
      await noneAtWork();
    }
    await unswitched.query('rollback');
    unswitched.release();
    const last = tool('rebuild', 'media');
    await last.line(/version 2 is built on from position \d+/);
    await last.line(/version 2 is what readers see now/);
    expect(await last.ended).toMatchObject({ code: 0 });
    isOver = true;
    expect(await reading).toBeGreaterThan(5);
    expect(resumedAt).toEqual([...resumedAt].sort((a, b) => a - b));
    expect(await seen()).toMatchObject({ rows: EVENTS + 3 });
  }, 240_000);

  it('ends as what a signal ended when it is stopped, so that nobody takes it for done', async () => {
    const unswitched = await test.db.session();
    await unswitched.script('begin; set local idle_in_transaction_session_timeout = 0');
    await unswitched.query(
      "select from projector.checkpoint where name = 'media' and status = 'current' for no key update",
    );
    const stopped = tool('rebuild', 'media');
    await stopped.line(/version 3 is built anew/);
    stopped.signal('SIGINT');
    await stopped.line(/^Stopped; the next rebuild goes on from here\.$/);
    expect(await stopped.ended).toEqual({ code: 130, signal: null });
    await unswitched.query('rollback');
    unswitched.release();
    const last = tool('rebuild', 'media');
    await last.line(/version 3 is what readers see now/);
    expect(await last.ended).toMatchObject({ code: 0 });
  }, 240_000);

  it('verifies as if nothing had been before, and leaves nothing behind', async () => {
    for (let kill = 0; kill < 2; kill++) {
      const killed = tool('verify', 'media');
      await killed.line(/recomputing/);
      await sleep(Math.random() * 400);
      killed.kill();
      await killed.ended;
    }
    await noneAtWork();
    expect(await test.db.query("select to_regclass('read.media_v0') as found")).toEqual([{ found: null }]);
    const verified = tool('verify', 'media');
    await verified.line(new RegExp(`media is equal to the log up to position ${EVENTS + 3}`));
    expect(await verified.ended).toMatchObject({ code: 0 });
  }, 240_000);

  it('names the first row that is not as the log has it', async () => {
    await test.db.query("delete from read.media_v3 where id in ('med_31000', 'med_77')");
    const verified = tool('verify', 'media');
    await verified.line(/media is not equal to the log: missing med_77 of ws_1 \(position 78\)/);
    expect(await verified.ended).toMatchObject({ code: 1 });
  });
});

describe('npm run projection says in one sentence what is wrong', () => {
  it.each([
    [['--help'], /^The database is the embedded one in DATA_DIR/, 0],
    [['rebuild', 'nothing'], /^There is no view nothing to rebuild; there are: audit, accounts, /, 2],
    [['list'], /^There is no embedded database in \/nowhere: set DATA_DIR/, 2],
  ])('%p', async (args, sentence, code) => {
    const program = Program.start(['dist/apps/projector/cli.js', ...args], { DATA_DIR: '/nowhere' });
    await program.line(sentence);
    expect(await program.ended).toEqual({ code, signal: null });
    if (code !== 0) expect(program.lines).toHaveLength(1);
  });
});
