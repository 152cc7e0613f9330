import { randomBytes } from 'node:crypto';
import { loadSettings } from './config/settings';
import { openEngines } from './engines';

describe('engines whose settings cannot be read', () => {
  it.each([
    ['BUS_URL', 'kafka://', /^BUS_URL is not of the form kafka:.*\.$/],
    ['BUS_URL', 'kafka://h:notaport', /^BUS_URL is not of the form kafka:.*\.$/],
    ['BUS_URL', 'kafka://h?mechanism=foo', /^BUS_URL asks for the mechanism foo; there are .*\.$/],
    ['BUS_URL', 'kafka://h?tls=maybe', /^BUS_URL has tls=maybe; there are true and false\.$/],
    ['BUS_URL', 'kafka://h?what=1', /^BUS_URL has the option what; there are tls and mechanism\.$/],
    ['EVENT_STORE_URL', 'esdb://', /^EVENT_STORE_URL is not of the form esdb:.*\.$/],
    ['EVENT_STORE_URL', 'esdb://h?tls=maybe', /^EVENT_STORE_URL is not of the form esdb:.*\.$/],
  ])('are refused before PostgreSQL is waited for: %s=%s', async (variable, value, sentence) => {
    const onWait = jest.fn();
    const settings = loadSettings({
      POSTLEDGER_MODE: 'sandbox',
      // Nobody listens there.
      DATABASE_URL: 'postgres://127.0.0.1:1/none',
      POSTLEDGER_SECRET_KEY: randomBytes(32).toString('base64'),
      [variable]: value,
    });
    await expect(openEngines(settings, { name: 'test', onWait })).rejects.toMatchObject({
      name: 'SettingsError',
      message: expect.stringMatching(sentence),
    });
    expect(onWait).not.toHaveBeenCalled();
  });
});
