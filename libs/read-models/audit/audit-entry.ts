import { hash } from 'node:crypto';
import { parseStream, type RecordedEvent } from '#event-store';
import { publicEventId } from '#kernel';
import { canonicalJson } from './canonical-json';

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

/** The link of one entry (docs/reference/audit-chain.md): SHA-256, hex, over the UTF-8 of the canonical array of its fields. */
export const hashOf = (entry: Omit<AuditEntry, 'hash'>): string => hash('sha256', linkText(entry), 'hex');

/** All but the data has one spelling in any case. */
function linkText(it: Omit<AuditEntry, 'hash'>): string {
  const { previousHash, id, position, at, action, entityType, entityId, actor, correlationId, causationId } = it;
  const about = [previousHash, id, position, at, action, entityType, entityId, actor, correlationId, causationId];
  return `${JSON.stringify([...about, it.revisionBefore, it.revision]).slice(0, -1)},${canonicalJson(it.data)}]`;
}

/** Streams whose data may hold a secret's box. */
const MAY_HOLD_SECRETS = 'webhook_endpoint';

/** What the audit log says of an event, linked to the entry before it in its workspace. */
export function auditEntry(event: RecordedEvent, previousHash: string | null): AuditEntry {
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
    revisionBefore: event.revision === 0 ? null : event.revision - 1,
    revision: event.revision,
    data: category === MAY_HOLD_SECRETS ? withoutSecrets(event.data) : event.data,
    previousHash,
  };
  return { ...entry, hash: hashOf(entry) };
}
