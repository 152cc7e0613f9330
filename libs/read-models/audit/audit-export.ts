import { publicEventId } from '#kernel';
import type { AuditFilters, AuditQuery, AuditRow } from './audit.query';

export type ExportFormat = 'ndjson' | 'csv';

const BATCH = 2_000;

const COLUMNS = [
  'id',
  'position',
  'at',
  'action',
  'entityType',
  'entityId',
  'actor',
  'correlationId',
  'causationId',
  'revisionBefore',
  'revision',
  'data',
  'hash',
  'previousHash',
] as const;

/**
 * The audit log as text, newest first, a chunk of up to 2,000 entries at a time: memory stays flat, and a reader that is slow
 * is waited for. NDJSON has one entry of the list a line; CSV (RFC 4180) the same fields as columns, `data` as JSON, null as nothing.
 * `cursor` begins after a page of the list.
 */
export async function* exportAudit(
  query: AuditQuery,
  workspace: string,
  filters: AuditFilters,
  format: ExportFormat,
  cursor?: string,
): AsyncGenerator<string> {
  const line = format === 'csv' ? csvLine : jsonLine;
  if (format === 'csv') yield `${COLUMNS.join(',')}\r\n`;
  for await (const rows of query.batches(workspace, filters, BATCH, cursor)) yield rows.map(line).join('');
}

const text = JSON.stringify as (value: string | null) => string;

/** The data is JSON already: it goes out as it is stored. */
const jsonLine = (row: AuditRow): string =>
  `{"id":"${publicEventId(row.event_id)}","position":${row.position},"at":"${row.at}","action":${text(row.action)},"entityType":${text(row.entity_type)},"entityId":${text(row.entity_id)},"actor":${text(row.actor)},"correlationId":${text(row.correlation_id)},"causationId":${text(row.causation_id)},"revisionBefore":${row.revision === 0 ? null : row.revision - 1},"revision":${row.revision},"data":${row.data},"hash":"${row.hash}","previousHash":${text(row.previous_hash)}}\n`;

const csvLine = (row: AuditRow): string =>
  `${[
    publicEventId(row.event_id),
    row.position,
    row.at,
    row.action,
    row.entity_type,
    row.entity_id,
    row.actor,
    row.correlation_id,
    row.causation_id,
    row.revision === 0 ? null : row.revision - 1,
    row.revision,
    row.data,
    row.hash,
    row.previous_hash,
  ]
    .map(cell)
    .join(',')}\r\n`;

const cell = (value: string | number | null): string => {
  const plain = String(value ?? '');
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
};
