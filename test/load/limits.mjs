// The raw limits that figures are set against, measured in the same run on the same machine.
import { createHmac, randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { Pool } from 'undici';

/** Rows a second of one table, inserted in batches of 200 by `unnest` on 4 connections, durably. */
export async function batchedInsert(databaseUrl, seconds = 3) {
  const clients = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const client = new Client({ connectionString: databaseUrl });
      await client.connect();
      return client;
    }),
  );
  await clients[0].query('create table if not exists public.bench_limit (id text primary key, data text)');
  const data = 'x'.repeat(900);
  let rows = 0;
  const started = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() - started < seconds * 1000) {
        const ids = Array.from({ length: 200 }, () => randomUUID());
        await client.query('insert into public.bench_limit select id, $2 from unnest($1::text[]) id', [ids, data]);
        rows += ids.length;
      }
    }),
  );
  const rate = rows / ((performance.now() - started) / 1000);
  await clients[0].query('drop table public.bench_limit');
  await Promise.all(clients.map((client) => client.end()));
  return rate;
}

/** Signed POSTs a second to the same receiver through one undici pool of 64 connections: nothing is stored. */
export async function signedPosts(receiver, seconds = 3) {
  const pool = new Pool(`http://127.0.0.1:${receiver.port}`, { connections: 64, pipelining: 1 });
  const body = 'x'.repeat(880);
  let done = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (performance.now() - started < seconds * 1000) {
        const signature = createHmac('sha256', 'secret').update(body).digest('base64');
        const answer = await pool.request({
          path: '/limit',
          method: 'POST',
          headers: { 'content-type': 'application/json', 'webhook-signature': signature },
          body,
        });
        await answer.body.dump();
        done++;
      }
    }),
  );
  const rate = done / ((performance.now() - started) / 1000);
  await pool.close();
  return rate;
}
