import { EventStoreUnavailableError } from '../port/event-store';
import { isRefusal, unavailable } from './faults';

const coded = (code: string) => Object.assign(new Error('no'), { code });

describe('a fault of PostgreSQL', () => {
  it.each(['23505', '22P02', '42P01', '42501'])('with SQLSTATE %s is a refusal', (code) =>
    expect(isRefusal(coded(code))).toBe(true),
  );

  it.each(['08006', '28P01', '3D000', '53300', '57P01', '40P01', '25006', '55P03', 'XX000'])(
    'with SQLSTATE %s passes',
    (code) => expect(isRefusal(coded(code))).toBe(false),
  );

  it.each(['EPIPE', 'EPERM', 'ECONNREFUSED', 'ETIMEDOUT'])('of the connection passes: %s', (code) =>
    expect(isRefusal(coded(code))).toBe(false),
  );

  it('that says nothing passes too, and is told with what there is to tell', () => {
    expect(isRefusal(new Error(''))).toBe(false);
    expect(unavailable(new Error('')).message).toMatch(/: no reason given$/);
    expect(unavailable(coded('ECONNRESET'))).toBeInstanceOf(EventStoreUnavailableError);
  });
});
