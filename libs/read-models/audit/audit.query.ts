import type { Database, Sql } from '#postgres';
import { publicEventId } from '#kernel';
import { pageOf, positionOf, type Page, type PageOptions } from '../keyed/cursor';
import type { AuditEntry } from './audit-entry';

/** `from` inclusive, `to` exclusive. */
export interface AuditFilters {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly entityType?: string | undefined;
  readonly entityId?: string | undefined;
  readonly correlationId?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

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

export const AUDIT_COLUMNS = `position, event_id, at, action, entity_type, entity_id, actor, correlation_id, causation_id, revision, data,
  encode(hash, 'hex') as hash, encode(previous_hash, 'hex') as previous_hash`;

const COLUMN_OF = {
  actor: 'actor',
  action: 'action',
  entityType: 'entity_type',
  entityId: 'entity_id',
  correlationId: 'correlation_id',
} as const;

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
  revisionBefore: row.revision === 0 ? null : row.revision - 1,
  revision: row.revision,
  data: JSON.parse(row.data) as object,
  hash: row.hash,
  previousHash: row.previous_hash,
});

/** The audit log of one workspace. Every combination of filters is a walk along an index in order of position. */
export class AuditQuery {
  constructor(private readonly db: Database) {}

  /** Newest first. */
  async list(workspace: string, filters: AuditFilters, options: PageOptions): Promise<Page<AuditEntry>> {
    const before = options.cursor === undefined ? undefined : positionOf(options.cursor);
    const rows = await this.rows(this.db, workspace, filters, { before, limit: options.limit + 1 });
    return pageOf(rows, options.limit, ({ position }) => position, entryOf);
  }

  /** All that match, newest first, a stretch at a time, so that memory stays flat however long the log is. */
  async *batches(
    workspace: string,
    filters: AuditFilters,
    size = 1_000,
    cursor?: string,
  ): AsyncGenerator<readonly AuditRow[]> {
    for (let before = cursor === undefined ? undefined : positionOf(cursor); ;) {
      const rows = await this.rows(this.db, workspace, filters, { before, limit: size });
      if (rows.length > 0) yield rows;
      if (rows.length < size) return;
      before = rows.at(-1)!.position;
    }
  }

  private async rows(
    sql: Sql,
    workspace: string,
    filters: AuditFilters,
    { before, limit }: { before: number | undefined; limit: number },
  ): Promise<AuditRow[]> {
    const { above, below } = await this.bounds(sql, workspace, filters);
    if (above === undefined) return [];
    const params: unknown[] = [workspace, limit];
    const where = ['workspace = $1'];
    const add = (condition: string, value: unknown) => {
      params.push(value);
      where.push(`${condition} $${params.length}`);
    };
    for (const [name, column] of Object.entries(COLUMN_OF)) {
      const value = filters[name as keyof typeof COLUMN_OF];
      if (value !== undefined) add(`${column} =`, value);
    }
    if (filters.from !== undefined) {
      add('at >=', filters.from);
      add('position >=', above);
    }
    if (filters.to !== undefined) add('at <', filters.to);
    const end = Math.min(before ?? Infinity, below);
    if (end !== Infinity) add('position <', end);
    return sql.query<AuditRow>(
      `select ${AUDIT_COLUMNS} from read.audit where ${where.join(' and ')} order by position desc limit $2`,
      params,
    );
  }

  /** The range of positions [above, below) outside of which no entry has a time in [from, to); above is undefined when there is none. */
  private async bounds(
    sql: Sql,
    workspace: string,
    { from, to }: AuditFilters,
  ): Promise<{ above: number | undefined; below: number }> {
    if (from === undefined && to === undefined) return { above: 0, below: Infinity };
    const [row] = await sql.query<{ above: number | null; below: number | null }>(
      `select projector.audit_position($1, $2) as above, projector.audit_position($1,
        $3::timestamptz + coalesce((select lag from read.audit_head where workspace = $1), 0) * interval '1 millisecond') as below`,
      [workspace, from ?? '-infinity', to ?? 'infinity'],
    );
    return { above: row!.above ?? undefined, below: row!.below ?? Infinity };
  }
}
