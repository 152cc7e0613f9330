import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { envExample, loadSettings, settingsReference } from './settings';

const root = join(__dirname, '../../..');
const key = Buffer.alloc(32, 7).toString('base64');

describe('settings', () => {
  it('begin as the sandbox with nothing set but the mode', () => {
    expect(loadSettings({ POSTLEDGER_MODE: 'sandbox' })).toMatchObject({
      mode: 'sandbox',
      publisher: 'simulated',
      host: '127.0.0.1',
      retryScale: 1,
      dataDir: '.data',
    });
  });

  it('begin as production without the sandbox publisher', () => {
    expect(loadSettings({ POSTLEDGER_SECRET_KEY: key })).toMatchObject({ mode: 'production', publisher: 'none' });
  });

  it('refuse production without a secret key, or with a retry scale', () => {
    expect(() => loadSettings({})).toThrow('POSTLEDGER_SECRET_KEY is missing');
    expect(() => loadSettings({ POSTLEDGER_SECRET_KEY: key, RETRY_SCALE: '0.1' })).toThrow(
      'RETRY_SCALE must be 1 in production.',
    );
  });

  it('take name servers with and without a port, and nothing else for one', () => {
    const of = (text: string) =>
      loadSettings({ POSTLEDGER_MODE: 'sandbox', WEBHOOK_NAME_SERVERS: text }).webhookNameServers;
    expect(of('9.9.9.9, 127.0.0.1:5353,[2620:fe::fe]:53')).toEqual(['9.9.9.9', '127.0.0.1:5353', '[2620:fe::fe]:53']);
    expect(of('')).toBeUndefined();
    for (const wrong of [
      'dns.example.org',
      '127.0.0.1:65536',
      '9.9.9.9,127.0.0.1:99999',
      '127.0.0.1:0',
      '[::1]:0',
      '[::1]:99999',
    ])
      expect(() => of(wrong)).toThrow(
        `WEBHOOK_NAME_SERVERS must be addresses of name servers, with a port if need be, separated by commas, not "${wrong}".`,
      );
    expect(of('::1,127.0.0.1:65535')).toEqual(['::1', '127.0.0.1:65535']);
  });

  it('name every variable that is wrong, in one go', () => {
    expect(() =>
      loadSettings({
        POSTLEDGER_MODE: 'sandbox',
        PORT: 'high',
        DATABASE_URL: 'mysql://x',
        POSTLEDGER_SECRET_KEY: 'short',
      }),
    ).toThrow(
      'PORT must be a number from 0 to 65535, not "high". DATABASE_URL must begin with postgres:// or postgresql://. POSTLEDGER_SECRET_KEY must be 32 bytes in base64',
    );
  });

  it('name once what production needs and cannot read', () => {
    expect(() => loadSettings({ POSTLEDGER_SECRET_KEY: 'short', RETRY_SCALE: 'often' })).toThrow(
      /^POSTLEDGER_SECRET_KEY must be 32 bytes in base64 [^.]*\. RETRY_SCALE must be a number from 0 to 1000, not "often"\.$/,
    );
  });

  it('name a wrong mode once, and not what would follow from another', () => {
    expect(() => loadSettings({ POSTLEDGER_MODE: 'dev', RETRY_SCALE: '0.1' })).toThrow(
      /^POSTLEDGER_MODE must be one of sandbox, production, not "dev"\.$/,
    );
  });

  it('take a secret key of 32 bytes, no less and no more', () => {
    for (const bytes of [31, 33])
      expect(() => loadSettings({ POSTLEDGER_SECRET_KEY: Buffer.alloc(bytes, 7).toString('base64') })).toThrow(
        'POSTLEDGER_SECRET_KEY must be 32 bytes in base64',
      );
  });

  it('take no half of what is counted', () => {
    for (const variable of ['PORT', 'METRICS_PORT', 'BUS_PARTITIONS', 'DATABASE_POOL', 'DELIVERY_CONCURRENCY'])
      expect(() => loadSettings({ POSTLEDGER_MODE: 'sandbox', [variable]: '40.5' })).toThrow(
        `${variable} must be a whole number, not "40.5".`,
      );
    expect(loadSettings({ POSTLEDGER_MODE: 'sandbox', RETRY_SCALE: '0.5' })).toMatchObject({ retryScale: 0.5 });
  });

  it('refuse a pool of connections in which one part would wait for another for ever', () => {
    expect(() => loadSettings({ POSTLEDGER_MODE: 'sandbox', DATABASE_POOL: '4' })).toThrow(
      'DATABASE_POOL must be a number from 5 to 500, not "4".',
    );
    expect(loadSettings({ POSTLEDGER_MODE: 'sandbox', DATABASE_POOL: '5' })).toMatchObject({ databasePool: 5 });
  });

  it('refuse a database that its client could not read, without repeating a password', () => {
    const of = (url: string) => loadSettings({ POSTLEDGER_MODE: 'sandbox', DATABASE_URL: url }).databaseUrl;
    for (const url of ['postgres://me:hunter#2@db:5432/x', 'postgres://me:hunter%2@db/x', 'postgres://db:port/x']) {
      expect(() => of(url)).toThrow('DATABASE_URL is not of the form postgres://user:password@host:port/database');
      expect(() => of(url)).not.toThrow('hunter');
    }
    for (const port of ['port', '0', '99999', '-1', '54.32'])
      expect(() => of(`postgres://db/x?port=${port}`)).toThrow('DATABASE_URL is not of the form');
    for (const mode of ['banana', 'Require', 'allow', 'disable&sslmode=banana'])
      expect(() => of(`postgres://db/x?sslmode=${mode}`)).toThrow(
        new RegExp(
          `^DATABASE_URL has sslmode=${mode.replace(/.*=/, '')}; there are disable, prefer, require, verify-ca, verify-full, no-verify\\.$`,
        ),
      );
    for (const url of ['postgres://db/x?sslmode=no-verify', 'postgres://db/x?sslmode=&port=5433', 'postgres://'])
      expect(of(url)).toBe(url);
    for (const url of ['postgres:///x?host=/run/pg', 'postgresql://me:a%23b@%2Frun%2Fpg:5432/x'])
      expect(of(url)).toBe(url);
  });

  it('refuse a key that no header carries, and a blank for a number', () => {
    for (const key of ['two words', 'schlüssel', 'x'.repeat(513), 'line\n'])
      expect(() => loadSettings({ POSTLEDGER_MODE: 'sandbox', POSTLEDGER_API_KEY: key })).toThrow(
        'POSTLEDGER_API_KEY must be up to 512 visible ASCII characters without spaces: it is sent in a header.',
      );
    expect(() => loadSettings({ POSTLEDGER_MODE: 'sandbox', PORT: ' ' })).toThrow('PORT must be a number, not blank.');
  });

  it('are all in .env.example and the reference', () => {
    expect(readFileSync(join(root, '.env.example'), 'utf8')).toBe(envExample());
    expect(readFileSync(join(root, 'docs/reference/settings.md'), 'utf8')).toBe(settingsReference());
  });
});
