import { hash } from 'node:crypto';
import { parseStream, type RecordedEvent } from '#event-store';
import { publicEventId } from '#kernel';
import { canonicalJson, quoted } from './canonical-json';

/** One entry of the audit log, as `GET /audit-log` answers. */
export interface AuditEntry {
  /** The event's id, which is that of its first message. */
  readonly id: string;
  readonly position: number;
  readonly at: string;
  /** The domain event: `PostScheduled`. */
  readonly action: string;
  /** The noun: `post`. */
  readonly entityType: string;
  readonly entityId: string;
  readonly actor: string;
  readonly correlationId: string;
  readonly causationId: string | null;
  /** Null for the first event of a thing. */
  readonly revisionBefore: number | null;
  readonly revision: number;
  readonly data: object;
  /** SHA-256, hex. */
  readonly hash: string;
  /** Null for the first of a workspace's chain. */
  readonly previousHash: string | null;
}

/** What an entry says of the revision before it. */
export const revisionBefore = (revision: number): number | null => (revision === 0 ? null : revision - 1);

/** What stands in the audit log in place of an encrypted secret. */
export const HIDDEN = '[secret]';

/** The event's data with every secret's box hidden, wherever it stands. */
export const withoutSecrets = (data: object): object => hide(data) as object;

function hide(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(hide);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, name === 'box' ? HIDDEN : hide(member)]),
  );
}

/**
 * The link of one entry (docs/reference/audit-chain.md): SHA-256, hex, over the UTF-8 of the canonical array of its fields. `data`: its data
 * as canonical JSON.
 */
export const hashOf = (entry: Omit<AuditEntry, 'hash'>, data = canonicalJson(entry.data)): string =>
  hash('sha256', linkText(entry, data), 'hex');

function linkText(it: Omit<AuditEntry, 'hash'>, data: string): string {
  const thing = `${quoted(it.action)},${quoted(it.entityType)},${quoted(it.entityId)}`;
  const cause = `${quoted(it.actor)},${quoted(it.correlationId)},${quotedOrNull(it.causationId)}`;
  return `[${quotedOrNull(it.previousHash)},${quoted(it.id)},${it.position},${quoted(it.at)},${thing},${cause},${it.revisionBefore},${it.revision},${data}]`;
}

const quotedOrNull = (text: string | null): string => (text === null ? 'null' : quoted(text));

/** Streams whose data may hold a secret's box. */
const MAY_HOLD_SECRETS = 'webhook_endpoint';

/** An entry, and its data as the audit log keeps it: as canonical JSON. */
export interface LinkedEntry {
  readonly entry: AuditEntry;
  readonly data: string;
}

/** What the audit log says of an event, linked to the entry before it in its workspace. */
export function linkedEntry(event: RecordedEvent, previousHash: string | null): LinkedEntry {
  const { category, id } = parseStream(event.stream);
  const { occurredAt, actor, correlationId, causationId } = event.metadata;
  const entry = {
    id: publicEventId(event.id),
    position: event.position,
    at: occurredAt,
    action: event.type,
    entityType: category,
    entityId: id,
    actor,
    correlationId,
    causationId,
    revisionBefore: revisionBefore(event.revision),
    revision: event.revision,
    data: category === MAY_HOLD_SECRETS ? withoutSecrets(event.data) : event.data,
    previousHash,
  };
  const data = canonicalJson(entry.data);
  return { entry: { ...entry, hash: hashOf(entry, data) }, data };
}
