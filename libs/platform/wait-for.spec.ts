import { migrate, type Database, type Sql } from '#postgres';
import { SettingsError } from './config/settings';
import { onDatabase, reachDatabase, until } from './wait-for';

it.each([
  [150_014, '15.14 (Debian 15.14-0)', '15.14'],
  [170_006, '17.6', '17.6'],
])(
  'refuses PostgreSQL %s, which is too old, in a sentence, before anything is changed',
  async (number, version, told) => {
    const asked: string[] = [];
    const sql = {
      query: async (text: string) => (asked.push(text), [{ number, version }]),
      script: async (text: string) => void asked.push(text),
    } as unknown as Sql;
    const url = 'postgres://me:secret@db.example:5432/postledger';
    const db = { url, tx: (work: (sql: Sql) => Promise<unknown>) => work(sql) } as unknown as Database;
    const started = onDatabase(db, () => migrate(db), jest.fn());
    const refusal = `PostgreSQL at db.example:5432/postledger cannot be used: it is PostgreSQL ${told}, and Postledger needs 18.`;
    await expect(started).rejects.toEqual(new SettingsError(refusal));
    expect(asked).toEqual([expect.stringContaining('server_version')]);
  },
);

it.each([
  ['postgres://', 'localhost:5432'],
  ['postgres://db.example/postledger', 'db.example:5432'],
  ['postgres:///postledger?host=/run/pg', '/run/pg/.s.PGSQL.5432'],
])('names where it asks for the PostgreSQL of %s', async (url, server) => {
  const query = jest.fn().mockRejectedValueOnce(new Error('connect ECONNREFUSED')).mockResolvedValue([]);
  const say = jest.fn();
  await reachDatabase({ url, query } as unknown as Database, say);
  expect(say).toHaveBeenCalledWith(`Waiting for PostgreSQL at ${server}: connect ECONNREFUSED`);
});

describe('waiting for an engine', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('says so also while nobody answers, and why as soon as somebody knows', async () => {
    const said: string[] = [];
    const attempts: { resolve: (there: string) => void; reject: (error: Error) => void }[] = [];
    const attempt = () => new Promise<string>((resolve, reject) => attempts.push({ resolve, reject }));
    const waiting = until('the bus', attempt, (sentence) => said.push(sentence));
    await jest.advanceTimersByTimeAsync(4_999);
    expect(said).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(said).toEqual(['Waiting for the bus: no answer yet']);
    attempts[0]!.reject(new Error('connect ECONNREFUSED'));
    await jest.advanceTimersByTimeAsync(5_500);
    expect(said.slice(1)).toEqual(Array.from({ length: 2 }, () => 'Waiting for the bus: connect ECONNREFUSED'));
    attempts[1]!.resolve('there');
    expect(await waiting).toBe('there');
    await jest.advanceTimersByTimeAsync(60_000);
    expect(said).toHaveLength(3);
  });
});
