import { CommandHandler } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { instant, Semaphore, uuidv7 } from '#kernel';
import { PostgresKeyTable, SubjectKeys } from '#personal-data';
import { Wake } from '#platform';
import { Database } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { subjectAggregate } from '#workspace';
import { FencedError } from './checkpoint';
import { erasuresProjection } from './erasures.projection';
import { LogFeed } from './log-feed';
import { Progress } from './progress';
import { ProjectionRunner } from './projection-runner';

const ERASED_AT = '2026-05-01T10:00:00.000Z';
const wrapping = { encrypt: (text: string) => `wrapped ${text}`, decrypt: (box: string) => box.slice(8) };

/** One process's keys, on connections of its own. */
function processOn(url: string) {
  const db = new Database(url, { max: 3 });
  const wake = new Wake(db, () => undefined);
  // Never looked up again by itself: what it forgets, it was told to.
  const keys = new SubjectKeys({ table: new PostgresKeyTable(db), wrapping, news: wake, now: () => 0 });
  return { keys, end: () => (keys.close(), db.end()) };
}

describe('an erasure that only the log knows of', () => {
  let test: TestDatabase;
  let store: MemoryEventStore;
  let feed: LogFeed;
  let progress: Progress;
  let faults: Error[];
  let here: ReturnType<typeof processOn>;
  let elsewhere: ReturnType<typeof processOn>;
  let leading: { stop: AbortController; done: Promise<void> }[];

  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());
  beforeEach(() => {
    [store, faults, leading] = [new MemoryEventStore(), [], []];
    [here, elsewhere] = [processOn(test.url), processOn(test.url)];
    feed = new LogFeed(store, (error) => faults.push(error));
    progress = new Progress(
      test.db,
      () => undefined,
      (error) => faults.push(error),
    );
  });
  afterEach(async () => {
    await Promise.all(leading.map(end));
    await feed.stop();
    await progress.stop();
    await Promise.all([here.end(), elsewhere.end()]);
    await test.db.script('truncate projector.checkpoint, subject.key');
  });

  const lead = (epoch: number) => {
    const stop = new AbortController();
    const projection = erasuresProjection(here.keys);
    const runner = new ProjectionRunner(projection, {
      db: test.db,
      feed,
      progress,
      gate: new Semaphore(3),
      onFault: (error) => faults.push(error),
    });
    const reign = { stop, done: runner.lead(epoch, stop.signal) };
    leading.push(reign);
    return reign;
  };
  const end = async ({ stop, done }: (typeof leading)[number]) => {
    stop.abort();
    await done;
  };
  /** What the api does before it would destroy the keys. */
  const erase = (subject: string, generation = 1, workspace = 'ws_1', at = instant(ERASED_AT)) =>
    new CommandHandler(store).handle(
      subjectAggregate,
      subject,
      { type: 'EraseSubject', at, actor: 'usr_operator', subjectId: subject, keys: [{ subject, generation }] },
      { workspace, actor: 'usr_operator', correlationId: 'c', causationId: null, commandId: uuidv7(), at },
    );
  const sealed = async (workspace: string, subject: string, text: string) =>
    JSON.stringify((await here.keys.key(workspace, subject)).seal(`${uuidv7()}/text`, JSON.stringify(text)));
  const read = async ({ keys }: typeof here, workspace: string, json: string) =>
    (await keys.open(workspace, json)).text;
  const rows = () =>
    test.db.query(
      'select workspace, subject, generation, box is not null as lives, erased_at from subject.key order by 1, 2, 3',
    );
  const took = (position: number) =>
    eventually(async () =>
      expect(await test.db.query("select position from projector.checkpoint where name = 'erasures'")).toEqual([
        { position },
      ]),
    );
  const lives = (subject: string, generation = 1, workspace = 'ws_1') => ({
    workspace,
    subject,
    generation,
    lives: true,
    erased_at: null,
  });
  const gone = (subject: string, generation = 1, at = ERASED_AT) => ({
    ...lives(subject, generation),
    lives: false,
    erased_at: at,
  });

  it('destroys its keys and no others, as of the time it was asked for, and every process forgets them', async () => {
    const [mine, yours, theirs] = [
      await sealed('ws_1', 'usr_ada', 'mine'),
      await sealed('ws_1', 'usr_bob', 'yours'),
      await sealed('ws_2', 'usr_ada', 'theirs'),
    ];
    for (const one of [here, elsewhere]) expect(await read(one, 'ws_1', mine)).toBe('"mine"');
    expect(await read(elsewhere, 'ws_2', theirs)).toBe('"theirs"');
    await erase('usr_ada');
    expect(await rows()).toEqual([lives('usr_ada'), lives('usr_bob'), lives('usr_ada', 1, 'ws_2')]);
    lead(1);
    await eventually(async () =>
      expect(await rows()).toEqual([gone('usr_ada'), lives('usr_bob'), lives('usr_ada', 1, 'ws_2')]),
    );
    for (const one of [here, elsewhere]) {
      await eventually(async () => expect(await read(one, 'ws_1', mine)).toBe('null'));
      expect(await read(one, 'ws_1', yours)).toBe('"yours"');
      expect(await read(one, 'ws_2', theirs)).toBe('"theirs"');
    }
    expect(faults).toEqual([]);
  });

  it('leaves alone what was sealed after it, also when the log is taken a second time', async () => {
    const old = await sealed('ws_1', 'usr_ada', 'old');
    await erase('usr_ada');
    const first = lead(1);
    await took(1);
    await end(first);
    const fresh = await sealed('ws_1', 'usr_ada', 'new');
    const after = [gone('usr_ada'), lives('usr_ada', 2)];
    expect(await rows()).toEqual(after);

    // As after a crash of the database that took the last lazy commit back, but not the durable one of an api.
    await test.db.query('update projector.checkpoint set position = 0');
    lead(2);
    await took(1);
    expect(await rows()).toEqual(after);
    for (const one of [here, elsewhere])
      expect([await read(one, 'ws_1', old), await read(one, 'ws_1', fresh)]).toEqual(['null', '"new"']);
  });

  it('changes nothing where the api had done it, nor when it is told twice', async () => {
    await sealed('ws_1', 'usr_ada', 'mine');
    await erase('usr_ada');
    const sooner = '2026-05-01T09:59:59.000Z';
    await here.keys.destroy('ws_1', [{ subject: 'usr_ada', generation: 1 }], sooner);
    // Somebody else's erasure may name the same key: that of an invitation they accepted.
    await erase('usr_twin');
    lead(1);
    await took(2);
    expect(await rows()).toEqual([gone('usr_ada', 1, sooner)]);
    expect(faults).toEqual([]);
  });

  it('is not carried out by a leader that another has followed, but by that one', async () => {
    const mine = await sealed('ws_1', 'usr_ada', 'mine');
    const old = lead(1);
    await eventually(async () => expect(await test.db.query('select 1 from projector.checkpoint')).toHaveLength(1));
    await test.db.query('update projector.checkpoint set epoch = 2');
    await erase('usr_ada');
    await old.done;
    expect(faults.at(-1)).toBeInstanceOf(FencedError);
    expect(await rows()).toEqual([lives('usr_ada')]);
    expect(await read(elsewhere, 'ws_1', mine)).toBe('"mine"');
    lead(2);
    await eventually(async () => expect(await rows()).toEqual([gone('usr_ada')]));
    await eventually(async () => expect(await read(elsewhere, 'ws_1', mine)).toBe('null'));
  });
});
