import type { Database } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import type { Checkpoint } from './checkpoint';
import { Progress } from './progress';

describe('how far projections are', () => {
  let test: TestDatabase;
  let progress: Progress;
  let here: string[];
  /** The announcements of each statement. */
  let sent: string[][];
  let faults: string[];
  /** So many statements meet a fault. */
  let away: number;
  /** What the next statement waits for. */
  let before: Promise<unknown>;

  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());
  beforeEach(async () => {
    [here, sent, faults, away, before] = [[], [], [], 0, Promise.resolve()];
    await test.db.script(`truncate projector.checkpoint;
      insert into projector.checkpoint (name, version, shape, status, epoch, position)
        values ('posts', 1, '1', 'retired', 4, 3), ('posts', 2, '1', 'current', 4, 3), ('media', 1, '1', 'current', 2, 3)`);
    const db = Object.assign(Object.create(test.db) as Database, {
      query: async (text: string, params: unknown[]) => {
        sent.push(params.at(-1) as string[]);
        await before;
        if (away-- > 0) throw new Error('away');
        return test.db.query(text, params);
      },
    });
    progress = new Progress(
      db,
      (_, payload) => here.push(payload),
      ({ message }) => faults.push(message),
    );
  });
  afterEach(() => progress.stop());

  /** Taken up to `position`, all of it without anything to write since `known`. */
  const posts = (position: number, more: Partial<Checkpoint> = {}): Checkpoint => ({
    name: 'posts',
    version: 2,
    epoch: 4,
    known: 3,
    position,
    ...more,
  });
  const media = (position: number): Checkpoint => posts(position, { name: 'media', version: 1, epoch: 2 });
  const stored = async () =>
    (
      await test.db.query<{ at: string }>(
        "select name || version || ':' || position as at from projector.checkpoint order by 1",
      )
    ).map(({ at }) => at);

  it('is told here at once and elsewhere soon, which moves the checkpoints of those who had nothing to write', async () => {
    const elsewhere: string[] = [];
    const stopListening = test.db.listen('view_progress', (payload) => void elsewhere.push(payload));
    // Once it listens it is told that it may have missed something.
    await eventually(() => expect(elsewhere).toEqual(['']));
    progress.announce(posts(7));
    expect(here).toEqual(['posts:7']);
    await eventually(() => expect(elsewhere).toEqual(['', 'posts:7']));
    expect(await stored()).toEqual(['media1:3', 'posts1:3', 'posts2:7']);
    stopListening();
  });

  it('is told together of all who moved while a statement was under way, and once', async () => {
    let go: () => void = () => undefined;
    before = new Promise<void>((done) => (go = done));
    progress.announce(posts(5));
    await eventually(() => expect(sent).toEqual([['posts:5']]));
    progress.announce(posts(6));
    progress.announce(media(6));
    progress.announce(posts(7));
    go();
    await eventually(async () => expect(await stored()).toEqual(['media1:6', 'posts1:3', 'posts2:7']));
    progress.announce(media(8));
    await eventually(async () => expect(await stored()).toContain('media1:8'));
    expect(sent.map((each) => each.sort())).toEqual([['posts:5'], ['media:6', 'posts:7'], ['media:8']]);
  });

  it('is told after a fault, though nothing more happens', async () => {
    away = 1;
    progress.announce(posts(7));
    await eventually(async () => expect(await stored()).toContain('posts2:7'));
    expect(faults).toEqual(['away']);
  });

  it('is told after a fault as it is then', async () => {
    let go: () => void = () => undefined;
    [away, before] = [1, new Promise<void>((done) => (go = done))];
    progress.announce(posts(5));
    await eventually(() => expect(sent).toHaveLength(1));
    progress.announce(posts(9));
    go();
    await eventually(async () => expect(await stored()).toContain('posts2:9'));
  });

  it('is told to the last when this process stops', async () => {
    progress.announce(posts(7));
    await progress.stop();
    expect(await stored()).toContain('posts2:7');
  });

  it('moves no checkpoint that is another leader’s, nor one that a crash has put back', async () => {
    progress.announce(posts(7, { epoch: 3 }));
    await eventually(() => expect(sent).toHaveLength(1));
    progress.announce(posts(7, { known: 6 }));
    await progress.stop();
    expect(sent).toHaveLength(2);
    expect(await stored()).toEqual(['media1:3', 'posts1:3', 'posts2:3']);
  });

  it('moves no checkpoint back to where it was when this was said, once rows are written beyond that', async () => {
    await test.db.query("update projector.checkpoint set position = 9 where name = 'posts' and version = 2");
    progress.announce(posts(7));
    await progress.stop();
    expect(sent).toEqual([['posts:7']]);
    expect(await stored()).toContain('posts2:9');
  });
});
