import { Client } from 'pg';

/** What the place of a server follows from, and, where no database is named, its name. */
const TELLING = ['host', 'port', 'user'];

/**
 * Where the client goes for an address, and the database it asks for there: what the address leaves out comes from PGHOST, PGPORT and PGDATABASE,
 * or is the client's default. Holds no secret.
 */
export function placeOf(url: string): { readonly server: string; readonly database: string } {
  const address = new URL(url);
  for (const name of [...address.searchParams.keys()]) if (!TELLING.includes(name)) address.searchParams.delete(name);
  // It never connects; a PGSSLNEGOTIATION would have it look for the encryption that was left out here.
  const client = new Client({ connectionString: address.href, sslnegotiation: 'postgres' });
  const { host, port, database = '' } = client;
  return { server: serverOf(host, port), database };
}

function serverOf(host: string, port: number): string {
  if (host.startsWith('/')) return `${host}/.s.PGSQL.${port}`;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
