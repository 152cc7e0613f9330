import { testDatabase, type TestDatabase } from '#testing';
import { Database } from './database';

describe('times', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  /** What a session of a database with these defaults reads. */
  async function read(defaults: string, time: string): Promise<string> {
    const name = new URL(test.url).pathname.slice(1);
    await test.db.script(`alter database ${name} set ${defaults}`);
    const db = new Database(test.url, { max: 1 });
    try {
      const [row] = await db.query<{ at: string }>('select $1::timestamptz as at', [time]);
      return row!.at;
    } finally {
      await db.end();
    }
  }

  it.each([
    ['of long ago, where the zone of the server has its own mean time', "timezone = 'Europe/Paris'", '1900-01-01'],
    ['of the first years', "timezone = 'UTC'", '0001-01-02'],
    ['of today, however the server writes dates', "datestyle = 'SQL, DMY'", '2026-11-03'],
    ['of the last year, where the server is in the next', "timezone = 'Asia/Tokyo'", '9999-12-31'],
  ])('%s, are read as they were written', async (_, defaults, day) => {
    const time = `${day}T23:59:59.999Z`;
    expect(await read(defaults, time)).toBe(time);
  });
});
