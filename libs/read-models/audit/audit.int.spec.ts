import type { RecordedEvent } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { eventIdOf } from '#kernel';
import { MemoryKeyTable, SubjectKeys } from '#personal-data';
import { OPEN, writeFenced } from '#postgres';
import { testDatabase, type TestDatabase } from '#testing';
import { hashOf, type AuditEntry } from './audit-entry';
import { exportAudit } from './audit-export';
import { AuditTable } from './audit-table';
import { verifyAudit } from './audit-verify';
import { AuditQuery } from './audit.query';

const PAGE = { limit: 200 };
const keys = new SubjectKeys({
  table: new MemoryKeyTable(),
  wrapping: { encrypt: (text) => text, decrypt: (box) => box },
});

/** Some posts' events in a store, half of them another workspace's. */
async function history(store: MemoryEventStore, posts: number): Promise<readonly RecordedEvent[]> {
  for (let n = 0; n < posts; n++) {
    const workspace = n % 2 === 0 ? 'ws_1' : 'ws_2';
    const commandId = `command ${n}`;
    const metadata = {
      workspace,
      actor: n % 3 === 0 ? 'usr_1' : 'key_1',
      correlationId: `c${n}`,
      causationId: null,
      commandId,
      schemaVersion: 1,
      // Every fifth comes from a clock that is two hours late.
      occurredAt: new Date(Date.UTC(2026, 4, 1, n % 5 === 4 ? 8 : 10, n)).toISOString(),
    };
    const events = ['PostScheduled', 'PostCancelled'].map((type, index) => ({
      id: eventIdOf(commandId, index),
      type,
      data: { postId: `pst_${n}`, text: 'Grüße, "Welt"\n=1+1', b: 1, a: [2, null] },
      metadata,
    }));
    await store.append(`post-${workspace}:pst_${n}`, events, -1);
  }
  return (await store.readAll({ after: 0, limit: 10_000 })).events;
}

describe('the audit log', () => {
  let test: TestDatabase;
  let store: MemoryEventStore;
  let query: AuditQuery;
  const verify = (options = {}) => verifyAudit({ db: test.db, store }, 'ws_1', options);

  beforeEach(async () => {
    test = await testDatabase();
    store = new MemoryEventStore();
    query = new AuditQuery(test.db);
    const events = await history(store, 30);
    const table = new AuditTable(1, 'read.audit_v1');
    await table.prepare(test.db);
    await table.publish(test.db);
    const apply = async (taken: readonly RecordedEvent[]) =>
      writeFenced(test.db, OPEN, await table.changes(test.db, taken));
    // In several batches, with what is remembered between them lost once.
    await apply(events.slice(0, 7));
    await apply(events.slice(7, 20));
    table.forget();
    await apply(events.slice(20));
    await test.db.query(
      "insert into projector.checkpoint (name, version, shape, status, position) values ('audit', 1, '1', 'current', $1)",
      [events.at(-1)!.position],
    );
  });
  afterEach(() => test.drop());

  it('links every entry of a workspace to the one before', async () => {
    const { data } = await query.list('ws_1', {}, PAGE);
    expect(data).toHaveLength(30);
    data.forEach((entry, at) => {
      expect(entry.previousHash).toBe(data[at + 1]?.hash ?? null);
      expect(entry.hash).toBe(hashOf(entry));
    });
  });

  it('links entries whose forerunners are still being written, however few chains it remembers', async () => {
    const table = new AuditTable(2, 'read.audit_v2', 0);
    await table.prepare(test.db);
    const { events } = await store.readAll({ after: 0, limit: 10_000 });
    let written: Promise<unknown> = Promise.resolve();
    for (let from = 0; from < events.length; from += 3) {
      const writes = await table.changes(test.db, events.slice(from, from + 3));
      await written;
      written = writeFenced(test.db, OPEN, writes);
    }
    await written;
    expect(await table.firstDifference(test.db, 'read.audit_v1')).toBeUndefined();
  });

  it('pages newest first, without a gap or a double', async () => {
    const seen: AuditEntry[] = [];
    for (let cursor: string | undefined; ;) {
      const { data, nextCursor } = await query.list('ws_1', { action: 'PostCancelled' }, { limit: 4, cursor });
      seen.push(...data);
      if (!nextCursor) break;
      cursor = nextCursor;
    }
    expect(seen.map(({ position }) => position)).toEqual(
      [...seen.map(({ position }) => position)].sort((a, b) => b - a),
    );
    expect(new Set(seen.map(({ id }) => id)).size).toBe(15);
  });

  it('finds by any combination of filters, late clocks included', async () => {
    const all = (await query.list('ws_1', {}, PAGE)).data;
    const [from, to] = ['2026-05-01T08:10:00.000Z', '2026-05-01T10:16:00.000Z'];
    const filters = { actor: 'key_1', action: 'PostScheduled', entityType: 'post', from, to };
    const expected = all.filter(
      ({ actor, action, at }) => actor === 'key_1' && action === 'PostScheduled' && at >= from && at < to,
    );
    expect(expected.length).toBeGreaterThan(2);
    expect(expected.some(({ at }) => at.includes('T08'))).toBe(true);
    expect((await query.list('ws_1', filters, PAGE)).data).toEqual(expected);
    const one = all[3]!;
    const { correlationId, entityId } = one;
    expect((await query.list('ws_1', { correlationId, entityId }, PAGE)).data.map(({ id }) => id)).toContain(one.id);
    expect((await query.list('ws_1', { from: '2027-01-01T00:00:00.000Z' }, PAGE)).data).toEqual([]);
    expect((await query.list('ws_1', { to: '2020-01-01T00:00:00.000Z' }, PAGE)).data).toEqual([]);
  });

  it('shows nothing of another workspace', async () => {
    expect((await query.list('ws_1', { entityId: 'pst_1' }, PAGE)).data).toEqual([]);
    expect((await query.list('ws_3', {}, PAGE)).data).toEqual([]);
  });

  it('exports what it lists, as NDJSON and as CSV', async () => {
    const { data } = await query.list('ws_1', {}, PAGE);
    const gather = async (format: 'ndjson' | 'csv') => {
      let text = '';
      for await (const chunk of exportAudit(query, keys, 'ws_1', {}, format)) text += chunk;
      return text;
    };
    const lines = (await gather('ndjson')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as AuditEntry)).toEqual(data);
    const csv = await gather('csv');
    expect(csv.split('\r\n')[0]).toBe(
      'id,position,at,action,entityType,entityId,actor,correlationId,causationId,revisionBefore,revision,data,hash,previousHash,sealed,erased',
    );
    expect(csv).toContain(`"${JSON.stringify(data[0]!.data).replaceAll('"', '""')}"`);
  });

  it('verifies what nobody has touched, also from an entry that was kept', async () => {
    const { data } = await query.list('ws_1', {}, PAGE);
    const whole = await verify();
    expect(whole).toEqual({ ok: true, entries: 30, position: data[0]!.position, hash: data[0]!.hash, complete: true });
    const kept = data[10]!;
    const rest = await verify({ fromPosition: kept.position, expectedHash: kept.hash });
    expect(rest).toMatchObject({ ok: true, entries: 10 });
    expect(await verify({ fromPosition: kept.position, expectedHash: data[11]!.hash })).toEqual({
      ok: false,
      broken: { id: kept.id, position: kept.position, reason: 'changed' },
    });
  });

  const tampered = async (sql: string, at = 10) => {
    const entry = [...(await query.list('ws_1', {}, PAGE)).data].reverse()[at]!;
    await test.db.query(sql.replaceAll('$position', String(entry.position)));
    return entry;
  };
  const brokenAt = ({ id, position }: AuditEntry, reason: string) => ({ ok: false, broken: { id, position, reason } });

  it.each([
    ['the actor', "update read.audit_v1 set actor = 'usr_2' where position = $position"],
    ['the data', `update read.audit_v1 set data = '{"postId":"pst_9"}' where position = $position`],
    ['the time', "update read.audit_v1 set at = at + interval '1 millisecond' where position = $position"],
    ['the hash', "update read.audit_v1 set hash = decode(repeat('00', 32), 'hex') where position = $position"],
    ['the link', 'update read.audit_v1 set previous_hash = null where position = $position'],
  ])('notices a change of %s', async (_, sql) => {
    const entry = await tampered(sql);
    expect(await verify()).toEqual(brokenAt(entry, 'changed'));
  });

  it('notices a missing entry, also at the end', async () => {
    const entry = await tampered('delete from read.audit_v1 where position = $position');
    expect(await verify()).toEqual(brokenAt(entry, 'missing'));
  });

  it('notices an inserted entry', async () => {
    await tampered(`insert into read.audit_v1 select workspace, 1000 + position, gen_random_uuid(), at, latest, action, entity_type, entity_id,
      actor, correlation_id, causation_id, revision, data, hash, previous_hash from read.audit_v1 where position = $position`);
    await test.db.query('update projector.checkpoint set position = 2000');
    const verdict = await verify();
    expect(verdict).toMatchObject({ ok: false, broken: { reason: 'inserted' } });
  });

  it('notices two entries that changed places', async () => {
    const entries = [...(await query.list('ws_1', {}, PAGE)).data].reverse();
    const [a, b] = [entries[4]!, entries[8]!];
    await test.db.script(`update read.audit_v1 set position = -1 where position = ${a.position};
      update read.audit_v1 set position = ${a.position} where position = ${b.position};
      update read.audit_v1 set position = ${b.position} where position = -1`);
    expect(await verify()).toEqual(brokenAt(a, 'out of order'));
  });

  it('notices a change of the log', async () => {
    const victim = (await store.readAll({ after: 0, limit: 100, workspace: 'ws_1' })).events[6]!;
    Object.assign(victim.data, { text: 'Something else' });
    expect(await verify()).toMatchObject({
      ok: false,
      broken: { id: `evt_${victim.id}`, position: victim.position, reason: 'changed' },
    });
  });

  it('notices that the newest entries are gone from the log and from the view', async () => {
    const newest = (await query.list('ws_1', {}, PAGE)).data[0]!;
    await test.db.query('delete from read.audit_v1 where position = $1', [newest.position]);
    const shorter = {
      readAll: async (options: Parameters<MemoryEventStore['readAll']>[0]) => {
        const batch = await store.readAll(options);
        return { ...batch, events: batch.events.filter(({ position }) => position !== newest.position) };
      },
    };
    const verdict = await verifyAudit(
      { db: test.db, store: Object.assign(Object.create(store) as MemoryEventStore, shorter) },
      'ws_1',
    );
    expect(verdict).toEqual({ ok: false, broken: { id: null, position: newest.position, reason: 'missing' } });
  });

  /** The log with something done to the events that are read. */
  const alteredLog = (alter: (events: readonly RecordedEvent[]) => readonly RecordedEvent[]): MemoryEventStore =>
    Object.assign(Object.create(store) as MemoryEventStore, {
      readAll: async (options: Parameters<MemoryEventStore['readAll']>[0]) => {
        const batch = await store.readAll(options);
        return { ...batch, events: alter(batch.events) };
      },
      read: async (stream: string) => alter(await store.read(stream)),
    });
  const verifyAgainst = (log: MemoryEventStore) => verifyAudit({ db: test.db, store: log }, 'ws_1');

  it('notices an event that is gone from the log', async () => {
    const gone = [...(await query.list('ws_1', {}, PAGE)).data].reverse()[7]!;
    const verdict = await verifyAgainst(
      alteredLog((events) => events.filter(({ position }) => position !== gone.position)),
    );
    expect(verdict).toEqual(brokenAt(gone, 'inserted'));
  });

  it('notices an event that came into the log afterwards', async () => {
    const [one] = (await store.readAll({ after: 0, limit: 1, workspace: 'ws_1' })).events;
    const added = { ...one!, id: '00000000-0000-4000-8000-000000000000', position: one!.position + 0.5 };
    const verdict = await verifyAgainst(
      alteredLog((events) => events.flatMap((event) => (event.position === one!.position ? [event, added] : [event]))),
    );
    expect(verdict).toEqual({
      ok: false,
      broken: { id: `evt_${added.id}`, position: added.position, reason: 'missing' },
    });
  });

  it('notices two events of the log that changed places', async () => {
    const [a, b] = (await store.readAll({ after: 0, limit: 2, workspace: 'ws_1' })).events as [
      RecordedEvent,
      RecordedEvent,
    ];
    const placeOf = new Map([
      [a.id, b.position],
      [b.id, a.position],
    ]);
    const verdict = await verifyAgainst(
      alteredLog((events) =>
        events
          .map((event) => ({ ...event, position: placeOf.get(event.id) ?? event.position }))
          .sort((one, other) => one.position - other.position),
      ),
    );
    expect(verdict).toEqual({ ok: false, broken: { id: `evt_${b.id}`, position: a.position, reason: 'out of order' } });
  });

  it('tells how far it is, and ends at its deadline with what is needed to go on from there', async () => {
    const data = [...(await query.list('ws_1', {}, PAGE)).data].reverse();
    const told: [number, number][] = [];
    const deadline = new AbortController();
    const onProgress = (entries: number, position: number) => {
      told.push([entries, position]);
      if (entries === 20) deadline.abort();
    };
    const half = await verify({ onProgress, deadline: deadline.signal, batch: 10 });
    const [tenth, twentieth] = [data[9]!, data[19]!];
    expect(told).toEqual([
      [10, tenth.position],
      [20, twentieth.position],
    ]);
    expect(half).toEqual({
      ok: true,
      entries: 20,
      position: twentieth.position,
      hash: twentieth.hash,
      complete: false,
    });
    const rest = await verify({ fromPosition: twentieth.position, expectedHash: twentieth.hash });
    expect(rest).toMatchObject({ ok: true, entries: 10, hash: data[29]!.hash, complete: true });
    await test.db.query('delete from read.audit_v1 where position = $1', [data[25]!.position]);
    expect(await verify({ fromPosition: twentieth.position })).toEqual(brokenAt(data[25]!, 'missing'));
    expect(await verify({ fromPosition: data[25]!.position })).toMatchObject({ broken: { reason: 'missing' } });
  });
});
