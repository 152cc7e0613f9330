import type { Engines } from '#platform';
import { KeyStore } from './key-store';

const row = {
  workspace: 'ws_1',
  id: 'key_1',
  kind: 'service',
  scopes: ['read'],
  expires_at: null,
  hash: 'hash of text',
};

describe('what a process knows of a key', () => {
  const query = jest.fn<Promise<object[]>, [text: string, params: unknown[]]>();
  const warned = jest.fn();
  let hear: () => void;
  let store: KeyStore;
  beforeEach(() => {
    query.mockReset().mockResolvedValue([]);
    const wake = { on: (_: string, it: () => void) => ((hear = it), () => undefined), send: () => undefined };
    const secrets = { fingerprints: (text: string) => [`hash of ${text}`] };
    store = new KeyStore({ db: { query }, secrets, wake, log: { warn: warned } } as unknown as Engines);
  });
  afterEach(() => store.close());

  it('is not what was read before a change that it has heard of', async () => {
    let answer: (rows: object[]) => void = () => undefined;
    query.mockReturnValueOnce(new Promise((rows) => (answer = rows)));
    const before = store.find('text');
    hear();
    expect(await store.find('text')).toBeNull();
    answer([row]);
    expect(await before).toMatchObject({ keyId: 'key_1' });
    expect(store.cached('text')).toBeNull();
  });

  it('is asked for once by all who show it at the same moment', async () => {
    query.mockResolvedValueOnce([row]);
    const asked = await Promise.all(['text', 'text', 'other'].map((text) => store.find(text)));
    expect(asked.map((caller) => caller?.keyId)).toEqual(['key_1', 'key_1', undefined]);
    expect(query).toHaveBeenCalledTimes(2);
  });

  it('is asked for once more after a change, however late the answer of before comes', async () => {
    const answers: ((rows: object[]) => void)[] = [];
    const late = () => new Promise<object[]>((rows) => answers.push(rows));
    query.mockImplementationOnce(late).mockImplementationOnce(late);
    const before = store.find('text');
    hear();
    const after = store.find('text');
    answers[0]!([]);
    await before;
    const another = store.find('text');
    expect(query).toHaveBeenCalledTimes(2);
    answers[1]!([row]);
    expect(await Promise.all([after, another])).toMatchObject([{ keyId: 'key_1' }, { keyId: 'key_1' }]);
  });

  it('is asked for again after a while, also when the clock has been set back meanwhile', async () => {
    query.mockResolvedValueOnce([row]);
    const [date, now] = [Date.now(), performance.now()];
    jest.spyOn(Date, 'now').mockReturnValue(date + 3_600_000);
    await store.find('text');
    jest.spyOn(Date, 'now').mockReturnValue(date);
    const later = jest.spyOn(performance, 'now').mockReturnValue(now + 4_000);
    expect(store.cached('text')).toMatchObject({ keyId: 'key_1' });
    later.mockReturnValue(now + 10_000);
    expect(store.cached('text')).toBeUndefined();
    jest.restoreAllMocks();
  });

  it('tells of each use once, also of one that needed no question', async () => {
    query.mockResolvedValueOnce([row]);
    await store.find('text');
    const told = async () => {
      query.mockClear();
      await store.flush();
      return query.mock.calls.map(([, params]) => params);
    };
    expect(await told()).toEqual([[['ws_1'], ['key_1']]]);
    expect(await told()).toEqual([]);
    store.cached('text');
    expect(await told()).toEqual([[['ws_1'], ['key_1']]]);
  });

  it('may have been used without that being written down, which fails nobody', async () => {
    query.mockResolvedValueOnce([row]);
    await store.find('text');
    query.mockRejectedValueOnce(new Error('away'));
    await store.flush();
    expect(warned).toHaveBeenCalledTimes(1);
  });

  it('ends with the key, however lately it was asked for', async () => {
    const end = Date.now() + 1_000;
    query.mockResolvedValueOnce([{ ...row, expires_at: new Date(end).toISOString() }]);
    await store.find('text');
    expect(store.cached('text')).toMatchObject({ keyId: 'key_1' });
    const later = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 1_001);
    expect(store.cached('text')).toBeUndefined();
    later.mockRestore();
  });
});
