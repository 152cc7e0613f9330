import { EventStoreUnavailableError } from '#event-store';
import { DomainError } from '#kernel';
import { invalid, problemOf } from './problem';

describe('an error as it leaves', () => {
  it.each([
    ['invalid', 400],
    ['not-found', 404],
    ['conflict', 409],
    ['stale', 412],
    ['refused', 422],
  ] as const)('a refusal of the kind %s is %i', (kind, status) => {
    const it = problemOf(new DomainError('SOME_CODE', kind, 'A title.', 'A detail.', { types: ['a'] }));
    expect({ status: it.status, body: it.body('cor_1') }).toEqual({
      status,
      body: {
        type: 'urn:postledger:problem:SOME_CODE',
        title: 'A title.',
        status,
        code: 'SOME_CODE',
        detail: 'A detail.',
        types: ['a'],
        correlationId: 'cor_1',
      },
    });
  });

  it.each([
    new EventStoreUnavailableError('connect ECONNREFUSED 10.1.2.3:5432'),
    Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:5432'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' }),
    Object.assign(new Error('sorry, too many clients already'), { code: '53300' }),
    Object.assign(new Error('cannot execute INSERT in a read-only transaction'), { code: '25006' }),
    Object.assign(new Error('relation "read.posts" does not exist'), { code: '42P01' }),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
  ])('an engine that is away is 503 with the time to come back, and no address: %s', (error) => {
    const it = problemOf(error);
    expect(it).toMatchObject({ status: 503, code: 'ENGINE_UNAVAILABLE', headers: { 'retry-after': '1' } });
    expect(JSON.stringify(it.body())).not.toMatch(/10\.1\.2\.3|ECONN|relation|clients/);
  });

  it.each([
    new TypeError("Cannot read properties of undefined (reading 'secret')"),
    Object.assign(new Error('duplicate key value violates unique constraint "key_hash"'), { code: '23505' }),
    'text',
    undefined,
    null,
    { status: 'odd' },
  ])('what we do not know is 500 and tells nothing: %p', (error) => {
    const it = problemOf(error);
    expect(it).toMatchObject({ status: 500, code: 'INTERNAL_ERROR' });
    expect(JSON.stringify(it.body())).not.toMatch(/secret|constraint|undefined/);
  });

  it('tells a hundred wrong places, and how many more there are', () => {
    const wrong = Array.from({ length: 40_000 }, (_, nth) => ({ pointer: `/n${nth}`, message: 'is not known here' }));
    const { detail, errors } = invalid(...wrong).body() as { detail: string; errors: object[] };
    expect(errors).toEqual(wrong.slice(0, 100));
    expect(detail).toMatch(/^\/n0: is not known here; .*; \/n99: is not known here; and 39900 more$/);
    expect(invalid(...wrong.slice(0, 100)).body()['detail']).toMatch(/\/n99: is not known here$/);
  });
});
