import type { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { eventIdOf } from '#kernel';
import { MemoryKeyTable, SubjectKeys } from '#personal-data';
import { OPEN, writeFenced } from '#postgres';
import type { TestDatabase } from '#testing';
import { hashOf, type AuditEntry } from './audit-entry';
import { exportAudit } from './audit-export';
import { AuditTable } from './audit-table';
import { verifyAudit } from './audit-verify';
import type { AuditQuery } from './audit.query';
import { audited } from './testing/audited';

const PAGE = { limit: 200 };
const keys = new SubjectKeys({
  table: new MemoryKeyTable(),
  wrapping: { encrypt: (text) => text, decrypt: (box) => box },
});

describe('the audit log', () => {
  let test: TestDatabase;
  let store: MemoryEventStore;
  let query: AuditQuery;
  beforeEach(async () => ({ test, store, query } = await audited()));
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

  it('is asked for a time while another build of it is made as it was before', async () => {
    const asked = () => query.list('ws_1', { from: '2026-05-01T08:10:00.000Z', to: '2026-05-01T10:20:00.000Z' }, PAGE);
    const before = await asked();
    expect(before.data).not.toHaveLength(0);
    const next = new AuditTable(2, 'read.audit_v2');
    await next.prepare(test.db);
    const { events } = await store.readAll({ after: 0, limit: 10 });
    await writeFenced(test.db, OPEN, await next.changes(test.db, events));
    expect(await asked()).toEqual(before);
  });

  it('links anew what could not be written, once it has forgotten what it made of it', async () => {
    const table = new AuditTable(2, 'read.audit_v2');
    await table.prepare(test.db);
    const { events } = await store.readAll({ after: 0, limit: 10_000 });
    const half = Math.ceil(events.length / 2);
    for (const batch of [events.slice(0, half), events.slice(half)]) {
      await table.changes(test.db, batch);
      table.forget();
      await writeFenced(test.db, OPEN, await table.changes(test.db, batch));
    }
    expect(await table.firstDifference(test.db, 'read.audit_v1')).toBeUndefined();
  });

  it('is exported, listed and verified in stretches no larger than may be in memory', async () => {
    const [last] = (await query.list('ws_1', {}, { limit: 1 })).data;
    const [newest] = (await store.readAll({ after: last!.position, inclusive: true, limit: 1 })).events;
    const table = new AuditTable(1, 'read.audit_v1');
    const data = { text: 'x'.repeat(300_000) };
    for (let n = 0; n < 45; n++)
      await store.append('design-ws_1:dsg_1', [{ ...newest!, id: eventIdOf('large', n), type: 'Noted', data }], n - 1);
    const { events } = await store.readAll({ after: (await store.head()) - 45, limit: 45, size: Infinity });
    await writeFenced(test.db, OPEN, await table.changes(test.db, events));
    await test.db.query("update projector.checkpoint set position = $1 where name = 'audit'", [await store.head()]);
    const sizes: number[] = [];
    const exported: number[] = [];
    for await (const chunk of exportAudit(query, keys, 'ws_1', {}, 'ndjson')) {
      sizes.push(chunk.length);
      for (const line of chunk.trimEnd().split('\n')) exported.push((JSON.parse(line) as AuditEntry).position);
    }
    expect(sizes.length).toBe(2);
    expect(Math.max(...sizes)).toBeLessThan(8_500_000);
    const listed: number[] = [];
    const pages: number[] = [];
    for (let cursor: string | undefined; ;) {
      const { data: page, nextCursor } = await query.list('ws_1', {}, { limit: 200, cursor });
      listed.push(...page.map(({ position }) => position));
      pages.push(page.length);
      if (nextCursor === null) break;
      cursor = nextCursor;
    }
    expect(pages).toEqual([27, 48]);
    expect(exported).toEqual(listed);
    expect(listed).toHaveLength(75);
    expect(await verifyAudit({ db: test.db, store }, 'ws_1')).toMatchObject({ ok: true, entries: 75 });
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
});
