import { testDatabase, type TestDatabase } from '#testing';
import { SettingsError } from './config/settings';
import { databaseHealth } from './database-health';
import { openSecretBox } from './master-key';

const [first, second, third] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte).toString('base64')) as [
  string,
  string,
  string,
];

describe('the master key of a database', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());
  const prove = (present: string, previous?: string, next?: string) =>
    openSecretBox(test.db, { present, previous, next });

  it('is the one of the first start, and no other one after it', async () => {
    await Promise.all([prove(first), prove(first)]);
    await expect(prove(second)).rejects.toThrow(SettingsError);
    await expect(prove(second)).rejects.toThrow(/encrypted with another POSTLEDGER_SECRET_KEY: set that one/);
    await prove(first);
  });

  it('gives way to one that names it as the one before', async () => {
    await prove(second, first);
    await prove(second);
    await expect(prove(first)).rejects.toThrow(SettingsError);
    await expect(prove(third, first)).rejects.toThrow(SettingsError);
    await prove(second);
  });

  it('is opened by those who were told it ahead, and they do not take its place back', async () => {
    const early = await prove(second, undefined, third);
    const late = await prove(second);
    expect(await databaseHealth(test.db, late)).toMatchObject({ ok: true });
    const changed = await prove(third, second);
    expect(early.decrypt(changed.encrypt('new'))).toBe('new');
    expect(changed.decrypt(early.encrypt('old'))).toBe('old');
    await prove(second, undefined, third);
    await prove(third);
    expect(await databaseHealth(test.db, early)).toMatchObject({ ok: true });
    expect(await databaseHealth(test.db, late)).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/another POSTLEDGER_SECRET_KEY/),
    });
    await expect(prove(second)).rejects.toThrow(SettingsError);
  });
});
