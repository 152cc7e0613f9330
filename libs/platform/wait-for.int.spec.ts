import { Database, migrate } from '#postgres';
import { testDatabase, type TestDatabase } from '#testing';
import { SettingsError } from './config/settings';
import { migrated } from './wait-for';

describe('bringing a database up to date', () => {
  let test: TestDatabase;
  beforeEach(async () => (test = await testDatabase()));
  afterEach(() => test.drop());

  it('refuses one of a newer version in a sentence that says what to do', async () => {
    await migrate(test.db);
    await test.db.query("insert into public.schema_migration (name) values ('9999_from_the_future.sql')");
    const refusal = await migrated(test.db).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SettingsError);
    expect((refusal as Error).message).toMatch(
      /holds 9999_from_the_future\.sql, which this build does not know\. Start the newer one, or give this one a database of its own\.$/,
    );
  });

  it('refuses a user who may make nothing, and names the setting', async () => {
    const name = new URL(test.url).pathname.slice(1);
    const user = `${name}_guest`;
    await test.db.script(`create role "${user}" login password 'guest'`);
    const url = Object.assign(new URL(test.url), { username: user, password: 'guest' });
    const guest = new Database(url.href);
    try {
      const refusal = await migrated(guest).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(SettingsError);
      expect((refusal as Error).message).toMatch(/refuses: the user may not do this; grant it the database/);
    } finally {
      await guest.end();
      await test.db.script(`drop role "${user}"`);
    }
  });
});
