import { isSealed, type Sealed } from '#kernel';
import { MemoryKeyTable } from './memory-key-table';
import { openThing } from './open-thing';
import { resealed, sealedIn } from './sealed-values';
import { newKey, SubjectKey } from './subject-key';
import { SubjectKeys } from './subject-keys';

const wrapping = { encrypt: (text: string) => `wrapped ${text}`, decrypt: (box: string) => box.slice(8) };
const keysOf = (table = new MemoryKeyTable()) => ({ table, keys: new SubjectKeys({ table, wrapping }) });
const sealed = async (keys: SubjectKeys, value: unknown, subject = 'usr_ada', place = 'e1/text'): Promise<Sealed> =>
  (await keys.key('ws_1', subject)).seal(place, JSON.stringify(value));

describe('a sealed value', () => {
  const key = new SubjectKey({ subject: 'usr_ada', generation: 1 }, newKey());
  const ciphertext = ({ $sealed }: Sealed): string => $sealed.split('.')[2]!;

  it('is the same bytes for the same event and field, and others elsewhere', () => {
    expect(key.seal('e1/text', '"hello"')).toEqual(key.seal('e1/text', '"hello"'));
    expect(key.seal('e1/text', '"hello"')).not.toEqual(key.seal('e2/text', '"hello"'));
    expect(key.seal('e1/text', '"hello"')).not.toEqual(key.seal('e1/text', '"hallo"'));
  });

  it('names its key and shows nothing of the value', () => {
    const { $sealed } = key.seal('e1/text', '"hello"');
    expect($sealed).toMatch(/^usr_ada\.1\.[A-Za-z0-9_-]+$/);
    expect(Buffer.from(ciphertext({ $sealed }), 'base64url').toString('latin1')).not.toContain('hello');
  });

  it('opens with its own key, unless a single byte was changed', () => {
    const value = ciphertext(key.seal('e1/text', '"héllo 👋"'));
    expect(key.open(value)).toBe('"héllo 👋"');
    for (const at of [0, 20, value.length - 2])
      expect(key.open(value.slice(0, at) + (value[at] === 'A' ? 'B' : 'A') + value.slice(at + 1))).toBeUndefined();
    expect(new SubjectKey(key.name, newKey()).open(value)).toBeUndefined();
  });
});

describe('the keys of subjects', () => {
  it('open what they sealed, in any process that has the table', async () => {
    const { table, keys } = keysOf();
    const json = JSON.stringify({ text: await sealed(keys, 'hello "you"'), other: 1 });
    const elsewhere = new SubjectKeys({ table, wrapping });
    expect(elsewhere.openNow('ws_1', json)).toBeUndefined();
    expect(await elsewhere.open('ws_1', json)).toEqual({ text: '{"text":"hello \\"you\\"","other":1}', erased: false });
    expect(elsewhere.openNow('ws_1', json)).toBeDefined();
  });

  it('make one key for a subject, however many ask at once, and one per workspace', async () => {
    const { table, keys } = keysOf();
    await Promise.all([keys.key('ws_1', 'usr_ada'), keys.key('ws_1', 'usr_ada'), keys.key('ws_2', 'usr_ada')]);
    expect(table.rows.map(({ workspace, generation }) => [workspace, generation])).toEqual([
      ['ws_1', 1],
      ['ws_2', 1],
    ]);
  });

  it('fail whoever asks while they cannot be had, and are there for the next', async () => {
    const { table, keys } = keysOf();
    // The first is asked for at once, and those that come meanwhile together.
    jest.spyOn(table, 'take').mockRejectedValueOnce(new Error('away')).mockRejectedValueOnce(new Error('away'));
    const asked = ['usr_ada', 'usr_ada', 'usr_bob'].map(async (subject) => keys.key('ws_1', subject));
    for (const outcome of await Promise.allSettled(asked))
      expect(outcome).toMatchObject({ status: 'rejected', reason: new Error('away') });
    expect(await keys.key('ws_1', 'usr_ada')).toBeDefined();
  });

  it('read null once they are destroyed, and nothing else does', async () => {
    const { keys } = keysOf();
    const json = JSON.stringify([await sealed(keys, 'mine'), await sealed(keys, 'yours', 'usr_bob')]);
    await keys.destroy('ws_1', [{ subject: 'usr_ada', generation: 1 }], '2026-05-01T10:00:00.000Z');
    expect(await keys.open('ws_1', json)).toEqual({ text: '[null,"yours"]', erased: true });
  });

  it('seal what is new with the next generation, which opens nothing old', async () => {
    const { keys } = keysOf();
    const old = await sealed(keys, 'old');
    await keys.destroy('ws_1', [{ subject: 'usr_ada', generation: 1 }], '2026-05-01T10:00:00.000Z');
    const fresh = await sealed(keys, 'new');
    expect(fresh.$sealed).toMatch(/^usr_ada\.2\./);
    expect((await keys.open('ws_1', JSON.stringify([old, fresh]))).text).toBe('[null,"new"]');
  });

  it('are not those of another workspace', async () => {
    const { keys } = keysOf();
    const json = JSON.stringify(await sealed(keys, 'mine'));
    expect((await keys.open('ws_2', json)).text).toBe('null');
  });

  it('open nothing that was changed or is another’s, also of what was sealed a moment ago', async () => {
    const { keys } = keysOf();
    const { $sealed } = await sealed(keys, 'mine');
    await sealed(keys, 'yours', 'usr_bob', 'e2/text');
    await keys.key('ws_2', 'usr_ada');
    const text = async (workspace: string, value: string) =>
      (await keys.open(workspace, JSON.stringify({ $sealed: value }))).text;
    expect(await text('ws_1', $sealed)).toBe('"mine"');
    const changed = `${$sealed.slice(0, -3)}AAA`;
    expect(await text('ws_1', changed)).toBe('null');
    // It is not erased by that.
    expect((await keys.open('ws_1', JSON.stringify({ $sealed: changed }))).erased).toBe(false);
    expect(await text('ws_1', $sealed.replace('usr_ada', 'usr_bob'))).toBe('null');
    expect(await text('ws_2', $sealed)).toBe('null');
  });

  it('are looked up again after their time, and at once when another process tells of an erasure', async () => {
    const table = new MemoryKeyTable();
    let now = 0;
    let hear: (payload: string) => void = () => undefined;
    const news = { on: (_: string, it: typeof hear) => ((hear = it), () => undefined), send: () => undefined };
    const keys = new SubjectKeys({ table, wrapping, news, now: () => now, believedMs: 1_000 });
    const json = JSON.stringify(await sealed(keys, 'mine'));
    await table.destroy('ws_1', [{ subject: 'usr_ada', generation: 1 }], '2026-05-01T10:00:00.000Z');
    expect((await keys.open('ws_1', json)).text).toBe('"mine"');
    now = 1_001;
    expect((await keys.open('ws_1', json)).text).toBe('null');
    expect(await sealed(keys, 'new')).toMatchObject({ $sealed: expect.stringMatching(/^usr_ada\.2\./) });

    const again = JSON.stringify(await sealed(keys, 'mine'));
    await table.destroy('ws_1', [{ subject: 'usr_ada', generation: 2 }], '2026-05-01T10:00:00.000Z');
    hear('');
    expect((await keys.open('ws_1', again)).text).toBe('null');
  });

  it('do not believe a key that was read before an erasure and came after it', async () => {
    const { table, keys } = keysOf();
    const json = JSON.stringify(await sealed(keys, 'mine'));
    keys.destroyed();
    const find = table.find.bind(table);
    jest.spyOn(table, 'find').mockImplementationOnce(async (workspace, names) => {
      const before = await find(workspace, names);
      await keys.destroy('ws_1', names, '2026-05-01T10:00:00.000Z');
      return before;
    });
    expect((await keys.open('ws_1', json)).text).toBe('null');
  });

  it('seal with no key that was taken before an erasure and came after it', async () => {
    const { table, keys } = keysOf();
    const take = table.take.bind(table);
    jest.spyOn(table, 'take').mockImplementationOnce(async (...asked) => {
      const before = await take(...asked);
      await keys.destroy('ws_1', [{ subject: 'usr_ada', generation: 1 }], '2026-05-01T10:00:00.000Z');
      return before;
    });
    const elsewhere = new SubjectKeys({ table, wrapping });
    expect((await elsewhere.open('ws_1', JSON.stringify(await sealed(keys, 'new')))).text).toBe('"new"');
  });

  it('open a text of more subjects than are remembered with one look at the table, and each of its values by itself', async () => {
    const { table, keys } = keysOf();
    const values = await Promise.all(['ada', 'bob', 'eve', 'joe'].map((name) => sealed(keys, name, `usr_${name}`)));
    await keys.destroy('ws_1', [{ subject: 'usr_bob', generation: 1 }], '2026-05-01T10:00:00.000Z');
    const find = table.find.bind(table);
    const looks = jest.spyOn(table, 'find').mockRejectedValue(new Error('asked again'));
    const elsewhere = new SubjectKeys({ table, wrapping, remembered: 2 });
    looks.mockImplementationOnce(find);
    expect(await elsewhere.open('ws_1', JSON.stringify(values))).toEqual({
      text: '["ada",null,"eve","joe"]',
      erased: true,
    });
    looks.mockImplementationOnce(find);
    const open = await elsewhere.opener('ws_1', JSON.stringify(values));
    expect(values.map((value) => open(JSON.stringify(value)))).toEqual([
      { text: '"ada"', erased: false },
      { text: 'null', erased: true },
      { text: '"eve"', erased: false },
      { text: '"joe"', erased: false },
    ]);
  });

  it('take no text of a user for a sealed value', async () => {
    const { keys } = keysOf();
    const spoof = JSON.stringify(await sealed(keys, 'secret'));
    const json = JSON.stringify({ profileId: spoof });
    expect(await keys.open('ws_1', json)).toEqual({ text: json, erased: false });
  });
});

describe('an answer', () => {
  const open = (json: string) =>
    json.includes('gone') ? { text: 'null', erased: true } : { text: '"clear"', erased: false };
  const [kept, gone] = [{ $sealed: 'kept' }, { $sealed: 'gone' }];

  it('says of each thing that it has lost something', () => {
    expect(openThing({ id: 'pst_1', content: { text: gone }, campaignId: null }, open)).toEqual({
      id: 'pst_1',
      content: { text: null },
      campaignId: null,
      erased: true,
    });
    expect(
      openThing(
        {
          data: [
            { id: 1, text: kept },
            { id: 2, text: gone },
          ],
          nextCursor: null,
        },
        open,
      ),
    ).toEqual({
      data: [
        { id: 1, text: 'clear' },
        { id: 2, text: null, erased: true },
      ],
      nextCursor: null,
    });
    expect(openThing({ id: 'pst_1', state: { content: { text: gone } } }, open)).toEqual({
      id: 'pst_1',
      state: { content: { text: null }, erased: true },
      erased: true,
    });
  });
});

it('a message that others read in clear is sealed again from its header', () => {
  const data = { accountId: 'acct_1', username: { $sealed: 'acct_1.1.x' }, tags: ['a'] };
  const sealedValues = sealedIn(data)!;
  expect(sealedValues).toEqual({ '/username': 'acct_1.1.x' });
  const again = JSON.parse(
    resealed('{"accountId":"acct_1","username":"ada","tags":["a"]}', sealedValues),
  ) as typeof data;
  expect(again).toEqual(data);
  expect(isSealed(again.username)).toBe(true);
});
