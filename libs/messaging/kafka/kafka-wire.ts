import type { IHeaders, KafkaMessage, Message } from 'kafkajs';
import type { BusMessage, ReceivedMessage } from '../port/bus';

/** A message as a producer takes it. */
export interface Outgoing extends Message {
  readonly topic: string;
}

/** Why a message is parked, by whom, and where. */
export interface Burial {
  readonly topic: string;
  readonly reason: string;
  readonly group: string;
}

type Bytes = Message['value'];

/** What came from Kafka, by what was made of it: a key or value need not be text, and a header may be given twice. */
const originals = new WeakMap<ReceivedMessage, KafkaMessage>();

/** CloudEvents 1.0 Kafka binding, binary mode: attributes are headers, the value is the data, the key is the entity. */
export function toKafka({ id, type, topic, key, headers, value }: BusMessage): Outgoing {
  return { topic, key, value, headers: { ce_id: id, ce_type: type, ...headers } };
}

/** Also takes messages of others: without CloudEvents headers, place stands for identity and the type is empty. */
export function fromKafka(topic: string, partition: number, original: KafkaMessage): ReceivedMessage {
  const { key, value, headers, offset } = original;
  const texts = textsOf(headers ?? {});
  const message = {
    id: texts['ce_id'] ?? `${topic}/${partition}/${offset}`,
    type: texts['ce_type'] ?? '',
    topic,
    key: key?.toString('utf8') ?? '',
    headers: texts,
    value: value?.toString('utf8') ?? '',
    partition,
    offset: Number(offset),
  };
  originals.set(message, original);
  return message;
}

/** The message as it came, byte by byte, with three headers more. */
export function toDeadLetter(message: ReceivedMessage, { topic, reason, group }: Burial): Outgoing {
  const { key, value, headers } = originals.get(message) ?? toKafka(message);
  return {
    topic,
    key: key ?? null,
    value,
    headers: {
      ...writable(headers ?? {}),
      'postledger-dead-reason': reason,
      'postledger-dead-group': group,
      'postledger-dead-place': `${message.topic}/${message.partition}/${message.offset}`,
    },
  };
}

/** kafkajs 2.2.4 reads a header without a value as null, and fails to write one: it is written as empty. */
const writable = (headers: IHeaders): IHeaders =>
  Object.fromEntries(
    Object.entries(headers).map(([name, given]) => [name, valuesOf(given).map((value) => value ?? '')]),
  );

/** Of a header that is given twice, the last counts. */
function textsOf(headers: IHeaders): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, given] of Object.entries(headers)) {
    const value = valuesOf(given).at(-1);
    if (value !== undefined) texts[name] = value?.toString('utf8') ?? '';
  }
  return texts;
}

/** For a header named as something that every object has, kafkajs 2.2.4 takes that for a first value. */
function valuesOf(given: unknown): readonly Bytes[] {
  if (isBytes(given)) return [given];
  return Array.isArray(given) ? given.filter(isBytes) : [];
}
const isBytes = (value: unknown): value is Bytes =>
  value === null || typeof value === 'string' || Buffer.isBuffer(value);

/** Bytes of a message on the wire, about. */
export function sizeOf({ key, headers, value }: Message): number {
  let size = lengthOf(value) + lengthOf(key) + 40;
  for (const [name, given] of Object.entries(headers ?? {}))
    for (const one of valuesOf(given)) size += name.length + lengthOf(one) + 4;
  return size;
}

const lengthOf = (bytes: Bytes | undefined): number => (bytes ? Buffer.byteLength(bytes) : 0);
