import { placeOf } from './address';

describe('the place that an address of PostgreSQL stands for', () => {
  const kept = process.env;
  beforeEach(() => (process.env = {}));
  afterEach(() => (process.env = kept));

  it.each([
    ['postgres://me:hunter2@db.example:5433/postledger', 'db.example:5433', 'postledger'],
    ['postgres://db.example/postledger', 'db.example:5432', 'postledger'],
    ['postgres://me@[::1]/postledger', '[::1]:5432', 'postledger'],
    ['postgres:///?user=me', 'localhost:5432', 'me'],
    ['postgres:///postledger?host=/run/pg&port=5433', '/run/pg/.s.PGSQL.5433', 'postledger'],
    ['postgres://me:x@%2Frun%2Fpg/postledger', '/run/pg/.s.PGSQL.5432', 'postledger'],
    ['postgres://db/postledger?sslmode=verify-full&sslrootcert=/nowhere.pem', 'db:5432', 'postledger'],
  ])('is where the client goes: %s', (url, server, database) => expect(placeOf(url)).toEqual({ server, database }));

  it('is that of the environment where the address leaves it out', () => {
    Object.assign(process.env, { PGHOST: 'db.example', PGPORT: '5433', PGDATABASE: 'postledger' });
    expect(placeOf('postgres://')).toEqual({ server: 'db.example:5433', database: 'postledger' });
    expect(placeOf('postgres://other/mine')).toEqual({ server: 'other:5433', database: 'mine' });
  });
});
