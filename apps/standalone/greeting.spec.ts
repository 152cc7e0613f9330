import type { RunningApp, Settings } from '#platform';
import type { FirstKey } from './first-key';
import { greeting } from './greeting';

describe('the greeting', () => {
  const running = { url: 'http://127.0.0.1:3000' } as RunningApp;
  const settings = { dataDir: '/home/.data' } as Settings;
  const key: FirstKey = { text: 'plk_1', isNew: true, isShown: true, file: '/home/.data/api-key', header: "'…'" };
  const lineOf = (name: string, given: FirstKey) =>
    greeting(running, settings, given).find((line) => line.startsWith(`  ${name} `));

  it('shows a new key, and says where it is kept', () => {
    expect(lineOf('API key', key)).toContain('plk_1   (shown this once; kept in /home/.data/api-key)');
    expect(lineOf('API key', { ...key, file: undefined })).toContain('plk_1   (shown this once; its hash is kept)');
    expect(lineOf('API key', { ...key, isNew: false, file: undefined })).toMatch(/plk_1$/);
    expect(lineOf('Dashboard', key)).toContain('http://127.0.0.1:3000/#key=plk_1');
  });

  it('does not show the key of an earlier start, and says where it is', () => {
    const earlier = { ...key, isNew: false, isShown: false };
    expect(lineOf('API key', earlier)).toContain('in /home/.data/api-key');
    expect(lineOf('API key', { ...earlier, text: '', file: undefined })).toContain(
      'printed at the first start, or POSTLEDGER_API_KEY of an earlier one',
    );
    expect(lineOf('API key', { ...earlier, file: undefined })).toMatch(/that of POSTLEDGER_API_KEY$/);
    expect(greeting(running, settings, earlier).join()).not.toContain('plk_1');
  });

  it('names the engines', () => {
    const engines = { databaseUrl: 'postgres://', eventStoreUrl: 'esdb://', busUrl: 'kafka://' };
    expect(greeting(running, settings, key)[0]).toBe('Postledger is ready, on an embedded PostgreSQL');
    expect(greeting(running, { ...settings, ...engines }, key)[0]).toBe(
      'Postledger is ready, on PostgreSQL, EventStoreDB, Kafka',
    );
  });
});
