import type { RecordedEvent } from '#event-store';
import type { MemoryEventStore } from '#event-store/memory/memory-event-store';
import type { TestDatabase } from '#testing';
import type { AuditEntry } from './audit-entry';
import { verifyAudit, type BreakReason, type Verdict, type VerifyOptions } from './audit-verify';
import type { AuditQuery } from './audit.query';
import { audited } from './testing/audited';

const PAGE = { limit: 200 };

describe('verification of the audit log', () => {
  let test: TestDatabase;
  let store: MemoryEventStore;
  let query: AuditQuery;
  const verify = (options: VerifyOptions = {}) => verifyAudit({ db: test.db, store }, 'ws_1', options);
  beforeEach(async () => ({ test, store, query } = await audited()));
  afterEach(() => test.drop());

  it('verifies what nobody has touched, also from an entry that was kept', async () => {
    const { data } = await query.list('ws_1', {}, PAGE);
    const whole = await verify();
    expect(whole).toEqual({ ok: true, entries: 30, position: data[0]!.position, hash: data[0]!.hash, complete: true });
    // Some of them from a clock that is late.
    for (const [newer, { position, hash }] of data.entries())
      expect(await verify({ fromPosition: position, expectedHash: hash })).toMatchObject({ ok: true, entries: newer });
    const kept = data[10]!;
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
  const brokenAt = ({ id, position }: AuditEntry, reason: BreakReason): Verdict => ({
    ok: false,
    broken: { id, position, reason },
  });

  /** What verification finds when one column of the row at `where` is changed, for each of these columns in turn. */
  async function found(table: string, where: string, changes: Readonly<Record<string, string>>) {
    const { db } = test;
    const columns = await db.query<{ name: string }>(
      'select attname as name from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped',
      [table],
    );
    expect(Object.keys(changes).sort()).toEqual(columns.map(({ name }) => name).sort());
    await db.script(`create table public.kept as table ${table}`);
    const verdicts: Record<string, Verdict> = {};
    for (const [column, value] of Object.entries(changes)) {
      await db.query(`update ${table} set ${column} = ${value} where ${where}`);
      verdicts[column] = await verify();
      await db.script(`truncate ${table}; insert into ${table} table public.kept`);
    }
    return verdicts;
  }
  const each = (changes: object, verdict: Verdict) =>
    Object.fromEntries(Object.keys(changes).map((name) => [name, verdict]));

  it('notices a change of any column of the view', async () => {
    const entry = [...(await query.list('ws_1', {}, PAGE)).data].reverse()[10]!;
    const changed = {
      event_id: 'gen_random_uuid()',
      at: "at + interval '1 millisecond'",
      latest: "'2000-01-01'",
      action: "'PostDeleted'",
      entity_type: "'account'",
      entity_id: "'pst_9'",
      actor: "'usr_2'",
      correlation_id: "'c'",
      causation_id: "'c'",
      revision: 'revision + 1',
      data: `'{"postId":"pst_9"}'`,
      hash: "decode(repeat('00', 32), 'hex')",
      previous_hash: 'null',
      subject: "'usr_2'",
    };
    const moved = { workspace: "'ws_3'", position: '-position' };
    const verdicts = await found('read.audit_v1', `position = ${entry.position}`, { ...moved, ...changed });
    expect(verdicts).toEqual({
      workspace: brokenAt(entry, 'missing'),
      position: brokenAt(entry, 'out of order'),
      ...each(changed, brokenAt(entry, 'changed')),
    });
  });

  it('notices a change of any column of the head of the chain', async () => {
    const [{ position }] = (await query.list('ws_1', {}, PAGE)).data as [AuditEntry];
    const gone = { version: '7', workspace: "'ws_3'", position: 'position + 1' };
    const changed = {
      entries: 'entries + 1',
      hash: "decode(repeat('00', 32), 'hex')",
      latest: "'infinity'",
      lag: 'lag - 1',
    };
    const verdicts = await found('projector.audit_head', "workspace = 'ws_1'", { ...gone, ...changed });
    const broken = (reason: BreakReason, at = position): Verdict => ({
      ok: false,
      broken: { id: null, position: at, reason },
    });
    expect(verdicts).toEqual({
      ...each(gone, broken('missing')),
      position: broken('missing', position + 1),
      ...each(changed, broken('changed')),
    });
  });

  it('vouches for nothing of a view of which it is not known how far it is', async () => {
    await test.db.query("update projector.checkpoint set status = 'retired' where name = 'audit'");
    expect(await verify()).toMatchObject({ ok: false, broken: { reason: 'inserted' } });
  });

  it.each(['1000', '9223372036854775807'])(
    'notices a view that says to be at %s, where no log is',
    async (position) => {
      await test.db.query(`update projector.checkpoint set position = ${position} where name = 'audit'`);
      const at = Math.min(Number(position), Number.MAX_SAFE_INTEGER);
      expect(await verify()).toEqual({ ok: false, broken: { id: null, position: at, reason: 'changed' } });
    },
  );

  it('notices a view that says to be before all positions', async () => {
    await test.db.query("update projector.checkpoint set position = -9223372036854775808 where name = 'audit'");
    expect(await verify()).toMatchObject({ ok: false, broken: { reason: 'inserted' } });
  });

  it('vouches for the entry that it begins after, and for how late the clocks behind it were', async () => {
    const kept = (await query.list('ws_1', {}, PAGE)).data[20]!;
    const from = { fromPosition: kept.position, expectedHash: kept.hash };
    for (const change of ["actor = 'usr_2'", "latest = '2000-01-01'", "latest = '2050-01-01'", "subject = 'usr_2'"]) {
      const [column] = change.split(' ');
      await test.db.script(`create table public.kept as table read.audit_v1;
        update read.audit_v1 set ${change} where position = ${kept.position}`);
      expect([column, await verify(from)]).toEqual([column, brokenAt(kept, 'changed')]);
      await test.db.script(
        'truncate read.audit_v1; insert into read.audit_v1 table public.kept; drop table public.kept',
      );
    }
    expect(await verify(from)).toMatchObject({ ok: true, entries: 20 });
    await test.db.query('update projector.audit_head set lag = 0');
    expect(await verify(from)).toMatchObject({ ok: false, broken: { reason: 'changed' } });
  });

  it.each(["data || ' '", `overlay(data placing '{"postId":"forged",' from 1 for 1)`])(
    'notices data of which an export writes more than a reader of JSON keeps (%s)',
    async (data) => {
      const entry = await tampered(`update read.audit_v1 set data = ${data} where position = $position`);
      expect(await verify()).toEqual(brokenAt(entry, 'changed'));
    },
  );

  it.each(["'infinity'", "'-infinity'", "'0044-03-15 BC'", "at + interval '1 microsecond'"])(
    'notices a time that nobody could show (%s)',
    async (at) => {
      const entry = await tampered(`update read.audit_v1 set at = ${at} where position = $position`);
      expect(await verify()).toEqual(brokenAt(entry, 'changed'));
    },
  );

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

  it.each(['-9223372036854775808', '0', '9007199254740000'])(
    'notices an entry that was inserted at %s, where the audit log has not been',
    async (position) => {
      await test.db
        .query(`insert into read.audit_v1 select workspace, ${position}, gen_random_uuid(), at, latest, action, entity_type, entity_id,
        'usr_7', correlation_id, causation_id, revision, data, hash, previous_hash from read.audit_v1 where workspace = 'ws_1' limit 1`);
      const listed = (await query.list('ws_1', { actor: 'usr_7' }, PAGE)).data;
      expect(listed).toHaveLength(1);
      const { id } = listed[0]!;
      const verdict = { ok: false, broken: { id, position: Number(position), reason: 'inserted' } };
      expect(await verify()).toEqual(verdict);
      const kept = (await query.list('ws_1', {}, PAGE)).data[10]!;
      expect(await verify({ fromPosition: kept.position, expectedHash: kept.hash })).toEqual(verdict);
    },
  );

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

  it('notices a change of anything in the log that an entry is made from', async () => {
    const entry = [...(await query.list('ws_1', {}, PAGE)).data].reverse()[10]!;
    const event = (await store.readAll({ after: entry.position - 1, limit: 1 })).events[0]!;
    const verdictWith = (change: object) =>
      verifyAgainst(alteredLog((events) => events.map((it) => (it.id === event.id ? { ...it, ...change } : it))));
    const changed: Partial<RecordedEvent> = { type: 'PostDeleted', stream: 'post-ws_1:pst_9', data: {}, revision: 9 };
    const nested = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as object;
    for (const change of [{ data: nested }, { metadata: {} }])
      expect(await verdictWith(change)).toEqual(brokenAt(entry, 'changed'));
    for (const [name, value] of Object.entries(changed))
      expect([name, await verdictWith({ [name]: value })]).toEqual([name, brokenAt(entry, 'changed')]);
    const { commandId, schemaVersion, ...ofEntry } = event.metadata;
    for (const name of Object.keys(ofEntry)) {
      const value = name === 'occurredAt' ? '2026-05-01T00:00:00.000Z' : 'another';
      const verdict = await verdictWith({ metadata: { ...event.metadata, [name]: value } });
      expect([name, verdict]).toEqual([name, brokenAt(entry, 'changed')]);
    }
    // No entry says these: the guide says so.
    const unsaid = { commandId: `${commandId}!`, schemaVersion: schemaVersion + 1 };
    expect(await verdictWith({ metadata: { ...event.metadata, ...unsaid } })).toMatchObject({ ok: true });
  });

  it('notices an event that is gone from the log', async () => {
    const gone = [...(await query.list('ws_1', {}, PAGE)).data].reverse()[7]!;
    const verdict = await verifyAgainst(
      alteredLog((events) => events.filter(({ position }) => position !== gone.position)),
    );
    expect(verdict).toEqual(brokenAt(gone, 'inserted'));
  });

  it('notices an event that was given to another workspace', async () => {
    const given = [...(await query.list('ws_1', {}, PAGE)).data].reverse()[7]!;
    const log = alteredLog((events) => events.filter(({ position }) => position !== given.position));
    const streams = { read: (stream: string) => store.read(stream) };
    expect(await verifyAgainst(Object.assign(log, streams))).toEqual(brokenAt(given, 'changed'));
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

  it('notices that a stream was moved to another workspace, from both sides', async () => {
    const moved = (await store.readAll({ after: 0, limit: 100, workspace: 'ws_1' })).events.slice(4, 6);
    for (const event of moved) Object.assign(event, { stream: event.stream.replace('ws_1', 'ws_2') });
    const [{ id, position }] = moved as [RecordedEvent];
    const brokenBy = (reason: BreakReason) => ({ ok: false, broken: { id: `evt_${id}`, position, reason } });
    expect(await verify()).toEqual(brokenBy('changed'));
    expect(await verifyAudit({ db: test.db, store }, 'ws_2')).toEqual(brokenBy('inserted'));
  });

  it('notices what says to be of another workspace in a stream of this one, wherever it begins', async () => {
    const stranger = (await store.readAll({ after: 0, limit: 100, workspace: 'ws_2' })).events[4]!;
    const broken = { id: `evt_${stranger.id}`, position: stranger.position, reason: 'inserted' };
    Object.assign(stranger, { stream: 'post-ws_1:pst_0', revision: 2 });
    const [{ position }] = (await query.list('ws_1', {}, PAGE)).data as [AuditEntry];
    for (const fromPosition of [0, position]) expect(await verify({ fromPosition })).toEqual({ ok: false, broken });
    // Of two faults the first in the log is named.
    const later = await tampered("update read.audit_v1 set actor = 'usr_2' where position = $position", 29);
    expect(await verify()).toEqual({ ok: false, broken });
    const earlier = await tampered("update read.audit_v1 set actor = 'usr_2' where position = $position", 0);
    expect(later.position).toBeGreaterThan(stranger.position);
    expect(await verify()).toEqual(brokenAt(earlier, 'changed'));
  });

  it('notices that a thing has no event at the revision before another', async () => {
    const entry = [...(await query.list('ws_1', {}, PAGE)).data].reverse()[11]!;
    expect(entry.revision).toBe(1);
    store['streams'].set(`post-ws_1:${entry.entityId}`, []);
    for (const batch of [1, 5, 1_000]) expect(await verify({ batch })).toEqual(brokenAt(entry, 'missing'));
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
    let turns = 0;
    const turn = <T>(look: () => Promise<T>) => (turns++, look());
    const half = await verify({ onProgress, turn, deadline: deadline.signal, batch: 10 });
    expect(turns).toBe(2);
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
