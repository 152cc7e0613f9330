import type { IHeaders, KafkaMessage, Message } from 'kafkajs';
import type { BusMessage, ReceivedMessage } from '../port/bus';

/** CloudEvents 1.0 Kafka binding, binary mode: attributes are headers, the value is the data, the key is the entity. */
export function toKafka({ id, type, key, headers, value }: BusMessage): Message {
  return { key, value, headers: { ce_id: id, ce_type: type, ...headers } };
}

/** Also takes messages of others: without CloudEvents headers, place stands for identity and the type is empty. */
export function fromKafka(
  topic: string,
  partition: number,
  { key, value, headers, offset }: KafkaMessage,
): ReceivedMessage {
  const texts = textsOf(headers ?? {});
  return {
    id: texts['ce_id'] ?? `${topic}/${partition}/${offset}`,
    type: texts['ce_type'] ?? '',
    topic,
    key: key?.toString('utf8') ?? '',
    headers: texts,
    value: value?.toString('utf8') ?? '',
    partition,
    offset: Number(offset),
  };
}

/** Of a header that is given twice, the last counts. */
function textsOf(headers: IHeaders): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, given] of Object.entries(headers)) {
    const value = Array.isArray(given) ? given.at(-1) : given;
    if (value !== undefined) texts[name] = value.toString('utf8');
  }
  return texts;
}

/** Bytes of a message on the wire, about. */
export function sizeOf({ key, headers, value }: BusMessage): number {
  let size = Buffer.byteLength(value) + Buffer.byteLength(key) + 40;
  for (const [name, text] of Object.entries(headers)) size += name.length + Buffer.byteLength(text) + 4;
  return size;
}
