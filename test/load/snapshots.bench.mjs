// node test/load/snapshots.bench.mjs: how long a command takes on a stream of 10, 1,000 and 100,000 events, in a process that knows the stream
// and in one that does not, with snapshots and without. A database of its own, removed at the end.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, install } from '../../apps/standalone/start.mjs';

export const LENGTHS = [10, 1_000, 100_000];
const EVERY = 200;
const MEMBERS = 4;
const ROLES = ['owner', 'admin', 'editor', 'viewer'];
const AT = '2026-05-01T10:00:00.000Z';

/** The nth event of each kind of stream, and a command that is never refused there. */
const KINDS = {
  team: {
    aggregate: 'teamAggregate',
    idOf: (workspace) => workspace,
    event(n) {
      const [inviteId, userId] = [`inv_${n >> 1}`, `usr_${n >> 1}`];
      if (n < 2 * MEMBERS)
        return n % 2 === 0
          ? ['MemberInvited', { inviteId, email: 'a@example.com', role: 'viewer', invitedBy: 'usr_0' }]
          : ['MemberJoined', { userId, inviteId, role: 'viewer' }];
      const newRole = ROLES[n % 4];
      return ['RoleChanged', { userId: `usr_${n % MEMBERS}`, oldRole: 'viewer', newRole, changedBy: 'usr_0' }];
    },
    command: (n) => ({ type: 'InviteMember', inviteId: `inv_new_${n}`, email: 'b@example.com', role: 'viewer' }),
  },
  operation: {
    aggregate: 'operationAggregate',
    idOf: () => 'op_bench',
    event(n) {
      const of = { operationId: 'op_bench', kind: 'batch', region: null, campaignId: null };
      return n === 0
        ? ['OperationStarted', { ...of, total: 1e9 }]
        : ['OperationProgressed', { ...of, done: n, failed: 0, total: 1e9 }];
    },
    command: (n) => ({ type: 'ReportProgress', done: 200_000 + n, failed: 0 }),
  },
};

/** Writes a stream's events straight into the table. */
async function fill(db, stream, workspace, length, eventOf, first) {
  for (let from = 0; from < length; from += 10_000) {
    const events = Array.from({ length: Math.min(10_000, length - from) }, (_, n) => [from + n, ...eventOf(from + n)]);
    const metadata = JSON.stringify({
      workspace,
      actor: 'usr_0',
      commandId: 'c',
      schemaVersion: 1,
      occurredAt: AT,
      $correlationId: 'c',
    });
    await db.query(
      `insert into log.event (position, revision, recorded_at, event_id, stream, type, workspace, data, metadata)
        select $1 + r, r, now(), gen_random_uuid(), $2, t, $3, d::json, $4::json from unnest($5::int[], $6::text[], $7::text[]) e (r, t, d)`,
      [
        first,
        stream,
        workspace,
        metadata,
        events.map(([n]) => n),
        events.map(([, type]) => type),
        events.map(([, , data]) => JSON.stringify(data)),
      ],
    );
  }
  return first + length;
}

const median = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];

/** Medians in ms: `known`, `unknown` and (without snapshots) `folded`, by kind and length of the stream. */
export async function measureSnapshots({ dist = '../../dist', commands = 100, processes = 20 } = {}) {
  const require = createRequire(import.meta.url);
  const { Database, EmbeddedServer, migrate } = require(`${dist}/libs/postgres/index.js`);
  const { PostgresEventStore } = require(`${dist}/libs/event-store/postgres/postgres-event-store.js`);
  const { PostgresSnapshots } = require(`${dist}/libs/event-store/postgres/postgres-snapshots.js`);
  const { CommandHandler, streamName } = require(`${dist}/libs/event-store/index.js`);
  const { SecretBox } = require(`${dist}/libs/platform/secret-box.js`);
  const aggregates = { ...require(`${dist}/libs/workspace/index.js`), ...require(`${dist}/libs/studio/index.js`) };
  const folder = mkdtempSync(join(tmpdir(), 'postledger-snapshots-bench-'));
  const server = await EmbeddedServer.start({ folder });
  await server.ensureDatabase('bench');
  const db = new Database(server.localUrl('bench'), { max: 6 });
  const store = new PostgresEventStore(db);
  const onFault = (error) => {
    throw error;
  };
  const snapshots = new PostgresSnapshots(db, { box: new SecretBox(Buffer.alloc(32, 1).toString('base64')), onFault });
  const withSnapshots = () => new CommandHandler(store, { snapshots: { snapshots, every: EVERY } });
  let sent = 0;
  try {
    await migrate(db);
    let position = 1;
    const results = [];
    for (const [kind, { aggregate, idOf, event, command }] of Object.entries(KINDS))
      for (const length of LENGTHS) {
        const it = aggregates[aggregate];
        const workspace = `ws_${randomUUID()}`;
        const id = idOf(workspace);
        position = await fill(db, streamName(it.category, workspace, id), workspace, length, event, position);
        const send = (handler) => {
          const context = { workspace, actor: 'usr_0', correlationId: 'c', causationId: null, at: AT };
          const sentCommand = { ...command(++sent), at: AT, actor: 'usr_0' };
          return handler.handle(it, id, sentCommand, { ...context, commandId: randomUUID() });
        };
        const timed = async (times, handlerOf) => {
          const took = [];
          for (let n = 0; n < times; n++) {
            const handler = handlerOf();
            const started = performance.now();
            await send(handler);
            took.push(performance.now() - started);
          }
          return median(took);
        };
        const folded = await timed(length > 10_000 ? 3 : processes, () => new CommandHandler(store));
        await withSnapshots().load(it, workspace, id);
        await snapshots.write();
        const unknown = await timed(processes, withSnapshots);
        const handler = withSnapshots();
        await send(handler);
        const known = await timed(commands, () => handler);
        position = (await store.head()) + 1;
        results.push({ kind, length, known, unknown, folded });
      }
    return results;
  } finally {
    await store.close();
    await db.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How much longer a command takes on the longest streams than on the shortest, worst of all kinds. */
export function ratios(results) {
  const at = (kind, length) => results.find((one) => one.kind === kind && one.length === length);
  const worst = (name) =>
    Math.max(...Object.keys(KINDS).map((kind) => at(kind, LENGTHS.at(-1))[name] / at(kind, LENGTHS[0])[name]));
  return { known: worst('known'), unknown: worst('unknown'), folded: worst('folded') };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await install();
  await build();
  const results = await measureSnapshots();
  for (const { kind, length, ...took } of results) {
    const figures = Object.entries(took).map(([name, ms]) => `${name} ${ms.toFixed(2)} ms`);
    console.log(`${kind.padEnd(10)} ${String(length).padStart(7)} events  ${figures.join('  ')}`);
  }
  const shown = Object.entries(ratios(results)).map(([name, ratio]) => `${name} ×${ratio.toFixed(2)}`);
  console.log(`${LENGTHS.at(-1)} events against ${LENGTHS[0]}: ${shown.join('  ')}`);
}
