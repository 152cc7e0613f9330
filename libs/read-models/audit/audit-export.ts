import { publicEventId } from '#kernel';
import { holdsSealed, sealedIn, type Opened, type SubjectKeys } from '#personal-data';
import { cursorAt } from '../keyed/cursor';
import { revisionBefore } from './audit-entry';
import type { AuditFilters } from './audit-filters';
import type { AuditQuery, AuditRow } from './audit.query';

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
  'sealed',
  'erased',
] as const;

/** No cursor of a list looks like it. */
const POSITION = /^\d{1,16}$/;

/**
 * The audit log as text, newest first, a chunk of up to 2,000 entries at a time: memory stays flat, and a reader that is slow
 * is waited for. NDJSON has one entry of the list a line; CSV (RFC 4180) the same fields as columns, `data` as JSON, null as nothing,
 * and an apostrophe before what a spreadsheet would run.
 * Personal data is opened; `sealed` beside it is what the log holds. `cursor` begins after a page of the list, or, for an export that broke
 * off, after the entry with this position.
 */
export async function* exportAudit(
  query: Pick<AuditQuery, 'batches'>,
  keys: Pick<SubjectKeys, 'open'>,
  workspace: string,
  filters: AuditFilters,
  format: ExportFormat,
  cursor?: string,
): AsyncGenerator<string> {
  const line = format === 'csv' ? csvLine : jsonLine;
  // Not before the first entries are there: until then the export may still be refused.
  let head = format === 'csv' ? `${COLUMNS.join(',')}\r\n` : '';
  const after = cursor !== undefined && POSITION.test(cursor) ? cursorAt(Number(cursor)) : cursor;
  for await (const rows of query.batches(workspace, filters, BATCH, after)) {
    const opened = await Promise.all(rows.map((row) => openedRow(keys, workspace, row)));
    yield head + opened.map(line).join('');
    head = '';
  }
  if (head !== '') yield head;
}

/** A row as it is read, with what the log holds of its personal data. */
interface OpenedRow extends AuditRow {
  /** JSON; undefined when nothing in it is personal. */
  readonly sealed?: string;
  readonly erased: boolean;
}

/** Rows without personal data cost nothing; the others look their key up in memory, but for the first of a subject. */
function openedRow(keys: Pick<SubjectKeys, 'open'>, workspace: string, row: AuditRow): OpenedRow | Promise<OpenedRow> {
  if (!holdsSealed(row.data)) return { ...row, erased: false };
  const sealed = JSON.stringify(sealedIn(JSON.parse(row.data)));
  return keys.open(workspace, row.data).then(({ text: data, erased }: Opened) => ({ ...row, data, sealed, erased }));
}

const text = JSON.stringify as (value: string | null) => string;

/** The data is JSON already. */
const jsonLine = (row: OpenedRow): string =>
  `{"id":"${publicEventId(row.event_id)}","position":${row.position},"at":"${row.at}","action":${text(row.action)},"entityType":${text(row.entity_type)},"entityId":${text(row.entity_id)},"actor":${text(row.actor)},"correlationId":${text(row.correlation_id)},"causationId":${text(row.causation_id)},"revisionBefore":${revisionBefore(row.revision)},"revision":${row.revision},"data":${row.data},"hash":"${row.hash}","previousHash":${text(row.previous_hash)}${row.sealed === undefined ? '' : `,"sealed":${row.sealed}`}${row.erased ? ',"erased":true' : ''}}\n`;

const csvLine = (row: OpenedRow): string =>
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
    revisionBefore(row.revision),
    row.revision,
    row.data,
    row.hash,
    row.previous_hash,
    row.sealed ?? null,
    row.sealed === undefined ? null : String(row.erased),
  ]
    .map(cell)
    .join(',')}\r\n`;

/** What spreadsheets take for a formula, in East Asia the wide forms too; an apostrophe before it tells them that it is text. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

const cell = (value: string | number | null): string => {
  const bare = String(value ?? '');
  const plain = FORMULA.test(bare) ? `'${bare}` : bare;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
};
