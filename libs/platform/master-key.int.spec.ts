import { testDatabase, type TestDatabase } from '#testing';
import { SettingsError } from './config/settings';
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
  const prove = (key: string, previous?: string) => openSecretBox(test.db, key, previous);

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
});
