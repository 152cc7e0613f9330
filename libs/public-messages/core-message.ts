import { FIRST_INSTANT, instant, LAST_INSTANT, uuidIn } from '#kernel';
import type { BusMessage, ReceivedMessage } from '#messaging';
import { resealed } from '#personal-data';

/** The topics of API.md. */
export const TOPICS = {
  posts: 'postledger.posts.v1',
  campaigns: 'postledger.campaigns.v1',
  accounts: 'postledger.accounts.v1',
  workspaces: 'postledger.workspaces.v1',
  studio: 'postledger.studio.v1',
  webhooks: 'postledger.webhooks.v1',
  publishing: 'postledger.publishing.v1',
} as const;

/**
 * A message of the public language: what a domain event says to the outside, once, before any contract words it.
 * A pure function of one recorded event, so any stretch of the log can be mapped again to the same bytes.
 */
export interface CoreMessage {
  /** `evt_<uuid>`: the event's own for its first message, derived from it for each further one. */
  readonly id: string;
  /** Core type, `post.published`. */
  readonly type: string;
  readonly topic: string;
  /** The workspace of the event. */
  readonly workspace: string;
  /** Entity id: the Kafka key and CloudEvents subject; order is kept per (workspace, key). */
  readonly key: string;
  readonly createdAt: string;
  /** JSON text of the core type's data, in its final bytes. */
  readonly dataJson: string;
  /** Position of the event in the log, and the message's index among those of its event. */
  readonly position: number;
  readonly index: number;
  readonly actor: string;
  readonly correlationId: string;
  readonly traceparent?: string;
  readonly region?: string;
  /** What other contracts need beyond the core data, such as destination ids of a settled post. JSON text. */
  readonly factsJson?: string;
  /** False for what only Postledger's own apps and publishers take (`post.destination_due`, endpoint changes). */
  readonly isWebhook: boolean;
  /** The endpoint that a `webhook.*` message is about: it does not go to that endpoint. */
  readonly aboutEndpoint?: string;
}

/** On a bus that others read too, whose values are plain: the sealed ones, a JSON object by JSON pointer. */
export const SEALED_HEADER = 'postledger-sealed';

const SOURCE = 'urn:postledger:workspace:';

/** CloudEvents 1.0 Kafka binding, binary mode; what is not CloudEvents is named `postledger-…`. */
export function toBusMessage(message: CoreMessage): BusMessage {
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    ce_id: message.id,
    ce_type: message.type,
    ce_source: SOURCE + message.workspace,
    ce_time: message.createdAt,
    ce_subject: message.key,
    'content-type': 'application/json',
    'postledger-position': `${message.position}.${message.index}`,
    'postledger-actor': message.actor,
    'postledger-correlation': message.correlationId,
  };
  if (message.traceparent) headers['traceparent'] = message.traceparent;
  if (message.region !== undefined) headers['postledger-region'] = message.region;
  if (message.factsJson !== undefined) headers['postledger-facts'] = message.factsJson;
  if (!message.isWebhook) headers['postledger-internal'] = 'true';
  if (message.aboutEndpoint) headers['postledger-endpoint'] = message.aboutEndpoint;
  return {
    id: message.id,
    type: message.type,
    topic: message.topic,
    key: message.key,
    headers,
    value: message.dataJson,
  };
}

const PLACE = /^(\d{1,16})\.(\d{1,4})$/;
const isTime = (text: string): boolean => FIRST_INSTANT <= text && text <= LAST_INSTANT && instant(text) === text;

/** The inverse. Throws on a message that is not ours: one that could not be stored would hold up all behind it. */
export function fromBusMessage({ id, type, topic, key, headers, value }: ReceivedMessage | BusMessage): CoreMessage {
  const need = (name: string): string => {
    const found = headers[name];
    if (found === undefined) throw new Error(`Message ${id} on ${topic} has no ${name} header`);
    return found;
  };
  const place = PLACE.exec(need('postledger-position'));
  const [source, createdAt] = [need('ce_source'), need('ce_time')];
  const hasForm = place && uuidIn('evt', id) && isTime(createdAt) && source.startsWith(SOURCE);
  if (!hasForm || [key, value, ...Object.values(headers)].some((text) => text.includes('\0')))
    throw new Error(`Message ${id} on ${topic} has headers that only look like ours, or holds a NUL`);
  const sealed = headers[SEALED_HEADER];
  return {
    id,
    type,
    topic,
    key,
    workspace: source.slice(SOURCE.length),
    createdAt,
    dataJson: sealed === undefined ? value : resealed(value, JSON.parse(sealed) as Record<string, string>),
    position: Number(place[1]),
    index: Number(place[2]),
    actor: need('postledger-actor'),
    correlationId: need('postledger-correlation'),
    isWebhook: headers['postledger-internal'] !== 'true',
    ...(headers['traceparent'] && { traceparent: headers['traceparent'] }),
    ...(headers['postledger-region'] !== undefined && { region: headers['postledger-region'] }),
    ...(headers['postledger-facts'] !== undefined && { factsJson: headers['postledger-facts'] }),
    ...(headers['postledger-endpoint'] && { aboutEndpoint: headers['postledger-endpoint'] }),
  };
}
