import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { isOutage } from './outage';

const NOWHERE = '/nowhere/.s.PGSQL.5432';

describe('an outage of PostgreSQL', () => {
  it.each(['08006', '28P01', '3D000', '40001', '53300', '55P03', '57P01', '25006', '25P03'])(
    'is what SQLSTATE %s says',
    (code) => {
      expect(isOutage(Object.assign(new Error('refused'), { code }))).toBe(true);
    },
  );

  it.each(['23505', '42P01', '22P05', '42501'])('is not what SQLSTATE %s says', (code) => {
    expect(isOutage(Object.assign(new Error('refused'), { code }))).toBe(false);
  });

  it('is a socket that is not there, and no other file that is not', async () => {
    const error = await new Promise((failed) => connect(NOWHERE).once('error', failed));
    expect(isOutage(error)).toBe(true);
    const missing = (() => {
      try {
        return readFileSync(NOWHERE);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(missing).toMatchObject({ code: 'ENOENT' });
    expect(isOutage(missing)).toBe(false);
  });

  it.each([
    'certificate has expired',
    'unable to verify the first certificate',
    'The server does not support SSL connections',
  ])('is a server of which a client says: %s', (said) => {
    expect(isOutage(new Error(said))).toBe(true);
  });

  it('is not anything else that is thrown', () => {
    for (const thrown of [undefined, null, 'text', new TypeError('x is not a function')])
      expect(isOutage(thrown)).toBe(false);
  });
});
