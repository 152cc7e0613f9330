import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { eventIdOf } from '#kernel';
import { OPEN, writeFenced } from '#postgres';
import { testDatabase, type TestDatabase } from '#testing';
import type { AuditEntry } from './audit-entry';
import { AuditTable } from './audit-table';
import type { AuditFilters } from './audit-filters';
import { AuditQuery, entryOf } from './audit.query';

const EVENTS = 300;
const NOUNS = { post: ['PostScheduled', 'PostCancelled'], team: ['MemberInvited', 'RoleChanged'] } as const;

describe('the filters of the audit log', () => {
  let test: TestDatabase;
  let query: AuditQuery;
  let all: readonly AuditEntry[];

  beforeAll(async () => {
    test = await testDatabase();
    query = new AuditQuery(test.db);
    const store = new MemoryEventStore();
    const revisions = new Map<string, number>();
    for (let n = 0; n < EVENTS; n++) {
      const noun = n % 3 === 0 ? 'team' : 'post';
      const stream = `${noun}-ws_${n % 7 === 0 ? 2 : 1}:id_${n % 4}`;
      const revision = revisions.get(stream) ?? -1;
      revisions.set(stream, revision + 1);
      const metadata = {
        workspace: n % 7 === 0 ? 'ws_2' : 'ws_1',
        actor: `usr_${(n % 5) % 2}`,
        correlationId: `c${(n % 11) % 3}`,
        causationId: null,
        commandId: `${n}`,
        schemaVersion: 1,
        // A minute each, and every sixth from a clock that is an hour and a half late.
        occurredAt: new Date(Date.UTC(2026, 4, 1, 10, n - (n % 6 === 5 ? 90 : 0))).toISOString(),
      };
      const event = { id: eventIdOf(`${n}`, 0), type: NOUNS[noun][(n % 13) % 2]!, data: {}, metadata };
      await store.append(stream, [event], revision);
    }
    const table = new AuditTable(1, 'read.audit_v1');
    await table.prepare(test.db);
    for (const make of table.indexes) await test.db.script(make);
    await table.publish(test.db);
    const { events } = await store.readAll({ after: 0, limit: EVENTS });
    await writeFenced(test.db, OPEN, await table.changes(test.db, events));
    all = await walk({}, 200);
  });
  afterAll(() => test.drop());

  /** All pages, one after the other. */
  async function walk(filters: AuditFilters, limit: number): Promise<AuditEntry[]> {
    const entries: AuditEntry[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await query.list('ws_1', filters, { limit, cursor });
      entries.push(...page.data);
      if (page.nextCursor === null) return entries;
      cursor = page.nextCursor;
    }
  }
  /** All batches of the export. */
  async function whole(filters: AuditFilters): Promise<AuditEntry[]> {
    const entries: AuditEntry[] = [];
    for await (const rows of query.batches('ws_1', filters, 50)) entries.push(...rows.map(entryOf));
    return entries;
  }
  const matches = ({ from, to, ...same }: AuditFilters, entry: AuditEntry): boolean =>
    Object.entries(same).every(([name, value]) => entry[name as keyof typeof same] === value) &&
    (from === undefined || entry.at >= from) &&
    (to === undefined || entry.at < to);

  it('leave, in every combination, what they say and nothing else, in pages and in the export', async () => {
    expect(all).toHaveLength(EVENTS - Math.ceil(EVENTS / 7));
    // One whose clock was late, so that its place in the log and its time are far apart.
    const { actor, action, entityType, entityId, correlationId, at } = all.find(
      (entry, n) => n > 100 && entry.at < all[n + 20]!.at,
    )!;
    const hours = (count: number) => new Date(Date.parse(at) + count * 3_600_000).toISOString();
    const one = { actor, action, entityType, entityId, correlationId, from: hours(-1), to: hours(1) };
    const names = Object.keys(one) as (keyof typeof one)[];
    let alone = 0;
    for (let which = 0; which < 2 ** names.length; which++) {
      const chosen = names.filter((_, bit) => which & (2 ** bit));
      const filters: AuditFilters = Object.fromEntries(chosen.map((name) => [name, one[name]]));
      const expected = all.filter((entry) => matches(filters, entry));
      const shown = expected.map(({ id }) => id);
      expect(shown.length).toBeGreaterThan(0);
      if (shown.length < all.length / 20) alone++;
      expect([chosen, (await walk(filters, 20)).map(({ id }) => id)]).toEqual([chosen, shown]);
      expect([chosen, (await whole(filters)).map(({ id }) => id)]).toEqual([chosen, shown]);
    }
    expect(alone).toBeGreaterThan(20);
  });

  it('leave out whatever is written while they look, of a known sort and of a new one alike', async () => {
    const late = `insert into read.audit_v1 (workspace, position, event_id, at, latest, action, entity_type, entity_id, actor, correlation_id, revision, data, hash)
      select 'ws_1', 9000 + n, gen_random_uuid(), now(), now(), action, 'post', 'late', 'usr_late', 'c', 0, '{}', '' from unnest(array['PostScheduled', 'PostNew']) with ordinality k (action, n)`;
    let isLate = true;
    const meanwhile = new AuditQuery({
      inWorkspace: (workspace) => ({
        query: async (text, params) => {
          const rows = await test.db.inWorkspace(workspace).query(text, params);
          if (isLate) await test.db.query(late);
          isLate = false;
          return rows as never[];
        },
      }),
    });
    const first = await meanwhile.list('ws_1', { entityType: 'post' }, { limit: 5 });
    const before = all.filter(({ entityType }) => entityType === 'post').slice(0, 5);
    expect(first.data.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    const { data } = await meanwhile.list('ws_1', { entityType: 'post' }, { limit: 2 });
    expect(data.map(({ action }) => action)).toEqual(['PostNew', 'PostScheduled']);
    await test.db.query("delete from read.audit_v1 where entity_id = 'late'");
  });

  it('are exact at their bounds, whatever is of the same moment', async () => {
    for (const { at } of [all[0]!, all[77]!, all.at(-1)!])
      for (const filters of [{ from: at }, { to: at }, { from: at, to: at }])
        expect((await walk(filters, 50)).map(({ id }) => id)).toEqual(
          all.filter((entry) => matches(filters, entry)).map(({ id }) => id),
        );
  });
});
