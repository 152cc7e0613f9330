import { cutToSize, isFull, planned, type Reads, type Workspaces } from '#postgres';
import { publicEventId } from '#kernel';
import { pageOf, positionOf, type Page, type PageOptions } from '../keyed/cursor';
import { revisionBefore, type AuditEntry } from './audit-entry';
import type { AuditFilters } from './audit-filters';
import { isByKind, kindsOf, ofKinds, type Kind } from './audit-kinds';

/** A row; `data` is JSON text. */
export interface AuditRow {
  readonly position: number;
  readonly event_id: string;
  readonly at: string;
  readonly action: string;
  readonly entity_type: string;
  readonly entity_id: string;
  readonly actor: string;
  readonly correlation_id: string;
  readonly causation_id: string | null;
  readonly revision: number;
  readonly data: string;
  readonly hash: string;
  readonly previous_hash: string | null;
}

interface PageRow extends AuditRow {
  readonly is_cut: boolean;
}

/** The columns of a row, with `at` in the form that its reader wants. */
export const auditColumns = (
  at = 'at',
): string => `position, event_id, ${at}, action, entity_type, entity_id, actor, correlation_id, causation_id, revision, data,
  encode(hash, 'hex') as hash, encode(previous_hash, 'hex') as previous_hash`;

const COLUMN_OF = {
  actor: 'actor',
  action: 'action',
  entityType: 'entity_type',
  entityId: 'entity_id',
  correlationId: 'correlation_id',
} as const;

/** The entry of the audit log that a row holds, as the api shows it. */
export const entryOf = (row: AuditRow): AuditEntry => ({
  id: publicEventId(row.event_id),
  position: row.position,
  at: row.at,
  action: row.action,
  entityType: row.entity_type,
  entityId: row.entity_id,
  actor: row.actor,
  correlationId: row.correlation_id,
  causationId: row.causation_id,
  revisionBefore: revisionBefore(row.revision),
  revision: row.revision,
  data: JSON.parse(row.data) as object,
  hash: row.hash,
  previousHash: row.previous_hash,
});

/** Which entries, before it is known from where on. */
interface Walk {
  readonly reads: Reads;
  readonly where: readonly string[];
  readonly params: readonly unknown[];
  /** The indexes to walk side by side; undefined: one will do. */
  readonly kinds?: readonly Kind[];
  /** Above every entry that counts. */
  readonly end: number;
}

/**
 * The audit log of one workspace. Whatever the filters, entries are read off indexes in order of position and nothing is sorted
 * (docs/decisions/0014).
 */
export class AuditQuery {
  constructor(private readonly db: Workspaces) {}

  /** Newest first. */
  async list(workspace: string, filters: AuditFilters, options: PageOptions): Promise<Page<AuditEntry>> {
    const before = options.cursor === undefined ? Infinity : positionOf(options.cursor);
    const walk = await this.walkOf(workspace, filters);
    const rows = walk ? await this.rows(walk, before, options.limit + 1) : [];
    return pageOf(rows, options.limit, ({ position }) => position, entryOf);
  }

  /** All that match, newest first, a stretch at a time, so that memory stays flat however long the log is. */
  async *batches(
    workspace: string,
    filters: AuditFilters,
    size = 1_000,
    cursor?: string,
  ): AsyncGenerator<readonly AuditRow[]> {
    const walk = await this.walkOf(workspace, filters);
    if (!walk) return;
    for (let before = cursor === undefined ? Infinity : positionOf(cursor); ;) {
      const rows = await this.rows(walk, before, size);
      if (rows.length > 0) yield rows;
      if (!isFull(rows, size)) return;
      before = rows.at(-1)!.position;
    }
  }

  /** Undefined when nothing can match. */
  private async walkOf(workspace: string, filters: AuditFilters): Promise<Walk | undefined> {
    const reads = this.db.inWorkspace(workspace);
    const params: unknown[] = [workspace];
    const where = ['workspace = $1'];
    const add = (condition: string, value: unknown) => {
      params.push(value);
      where.push(`${condition} $${params.length}`);
    };
    const found = isByKind(filters) ? await kindsOf(reads, workspace, filters) : undefined;
    if (found?.kinds.length === 0) return undefined;
    for (const [name, column] of Object.entries(COLUMN_OF)) {
      const value = filters[name as keyof typeof COLUMN_OF];
      // The kinds say these two.
      if (value !== undefined && !(found && column in found.kinds[0]!)) add(`${column} =`, value);
    }
    const { above, below } = await this.bounds(reads, workspace, filters);
    if (above === undefined) return undefined;
    if (filters.from !== undefined) {
      add('at >=', filters.from);
      add('position >=', above);
    }
    if (filters.to !== undefined) add('at <', filters.to);
    return found
      ? { reads, where, params, kinds: found.kinds, end: Math.min(below, found.head + 1) }
      : { reads, where, params, end: below };
  }

  private rows(walk: Walk, before: number, limit: number): Promise<PageRow[]> {
    const params = [...walk.params];
    const param = (value: unknown): string => `$${params.push(value)}`;
    const end = Math.min(before, walk.end);
    const base = end === Infinity ? walk.where : [...walk.where, `position < ${param(end)}`];
    const most = param(limit);
    const branches = walk.kinds
      ? ofKinds(walk.kinds).map(
          (kind) =>
            `${base.join(' and ')} and entity_type = ${param(kind.entity_type)} and action = ${param(kind.action)}`,
        )
      : [base.join(' and ')];
    // Each branch in order: they are merged, and none is read further than the page needs.
    const all = branches.map(
      (where) => `(select * from read.audit where ${where} order by position desc limit ${most})`,
    );
    const page = `select * from (${all.join(' union all ')}) e order by position desc limit ${most}`;
    const cut = cutToSize(page, 'octet_length(r.data)');
    const text = `select ${auditColumns()}, is_cut from ${cut} e order by position desc`;
    return walk.reads.query<PageRow>(walk.kinds ? text : planned(text), params);
  }

  /** The range of positions [above, below) outside of which no entry has a time in [from, to); above is undefined when there is none. */
  private async bounds(
    reads: Reads,
    workspace: string,
    { from, to }: AuditFilters,
  ): Promise<{ above: number | undefined; below: number }> {
    if (from === undefined && to === undefined) return { above: 0, below: Infinity };
    const [row] = await reads.query<{ above: number | null; below: number | null }>(
      `select projector.audit_position($1, $2) as above, projector.audit_position($1,
        $3::timestamptz + coalesce((select lag from read.audit_head where workspace = $1), 0) * interval '1 millisecond') as below`,
      [workspace, from ?? '-infinity', to ?? 'infinity'],
    );
    return { above: row!.above ?? undefined, below: row!.below ?? Infinity };
  }
}
