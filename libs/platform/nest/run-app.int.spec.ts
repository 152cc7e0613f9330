import { testDatabase } from '#testing';
import { loadSettings } from '../config/settings';
import type { Engines } from '../engines';
import { startApp, type AppDefinition } from './run-app';

describe('the start of an app', () => {
  const settings = (url: string) =>
    loadSettings({
      POSTLEDGER_MODE: 'sandbox',
      POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 1).toString('base64'),
      DATABASE_URL: url,
      PORT: '0',
      LOG_LEVEL: 'silent',
    });
  const app = (configure: AppDefinition['configure']): AppDefinition => ({
    name: 'test',
    port: 0,
    modules: () => [],
    ...(configure && { configure }),
  });

  it('begins anew when PostgreSQL goes away after its migration, with nothing left of the first try', async () => {
    const test = await testDatabase();
    const tries: Engines[] = [];
    const said: string[] = [];
    const running = await startApp(
      app(async (_, engines) => {
        if (tries.push(engines) === 1) await engines.db.query('select pg_terminate_backend(pg_backend_pid())');
      }),
      settings(test.url),
      { onWait: (sentence) => said.push(sentence) },
    );
    expect(tries).toEqual([expect.anything(), running.engines]);
    expect(said).toEqual([expect.stringContaining('terminating connection')]);
    await expect(tries[0]!.db.query('select 1')).rejects.toThrow('after calling end');
    expect((await fetch(`${running.url}/health/live`)).status).toBe(200);
    await running.stop();
    await test.drop();
  });

  it('ends at what will not pass', async () => {
    const test = await testDatabase();
    const failing = app((_, { db }) => db.script('select 1 / 0'));
    await expect(startApp(failing, settings(test.url))).rejects.toThrow('division by zero');
    await test.drop();
  });
});
