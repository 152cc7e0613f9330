import type { IHeaders, KafkaMessage } from 'kafkajs';
import { numbered } from '../conformance/ledger';
import { fromKafka, sizeOf, toDeadLetter, toKafka } from './kafka-wire';

const TOPIC = 'test.v1';
const BYTES = Buffer.of(0, 0xff, 0xfe, 0x80);
const DEAD = {
  'postledger-dead-reason': 'no such type',
  'postledger-dead-group': 'one',
  'postledger-dead-place': 'test.v1/3/7',
};

/** A message as kafkajs hands it over. */
const given = (parts: Pick<KafkaMessage, 'key' | 'value'> & { headers?: object }): KafkaMessage =>
  ({ offset: '7', timestamp: '0', attributes: 0, headers: {}, ...parts }) as KafkaMessage;

const parked = (message: KafkaMessage) =>
  toDeadLetter(fromKafka(TOPIC, 3, message), { topic: 'test.v1.dlq', reason: 'no such type', group: 'one' });

/** Each header by itself, as a broker keeps them. */
const apart = (headers: IHeaders | undefined) =>
  Object.entries(headers ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, Buffer.from(value ?? '').toString('hex')]),
  );

describe('a dead letter on Kafka', () => {
  it('has key, value and headers as they came, byte by byte, and three headers more', () => {
    const headers = { ce_id: Buffer.from('evt_1'), trace: BYTES, twice: [Buffer.from('first'), BYTES] };
    const letter = parked(given({ key: BYTES, value: BYTES, headers }));
    expect(letter).toMatchObject({ topic: 'test.v1.dlq', key: BYTES, value: BYTES });
    expect(apart(letter.headers)).toEqual(apart({ ...headers, ...DEAD }));
  });

  it('has nothing where there was nothing, and no attributes that nobody gave', () => {
    const letter = parked(given({ key: null, value: null }));
    expect(letter).toMatchObject({ key: null, value: null });
    expect(apart(letter.headers)).toEqual(apart(DEAD));
  });

  it('says itself why it is dead, also of a message that was dead before', () => {
    const headers = { a: Buffer.from('b'), 'postledger-dead-reason': Buffer.from('another') };
    expect(apart(parked(given({ key: null, value: BYTES, headers })).headers)).toEqual(apart({ a: 'b', ...DEAD }));
  });

  it('is made of headers that kafkajs can write, which a missing value and what every object has are not', () => {
    const headers = { empty: null, constructor: [Object, Buffer.from('mine')] };
    const message = given({ key: null, value: BYTES, headers });
    expect(fromKafka(TOPIC, 3, message).headers).toEqual({ empty: '', constructor: 'mine' });
    expect(apart(parked(message).headers)).toEqual(apart({ empty: '', constructor: 'mine', ...DEAD }));
  });
});

describe('a message on Kafka', () => {
  it('is told by its place, and has no type, when it is none of ours', () =>
    expect(fromKafka(TOPIC, 3, given({ key: null, value: null }))).toMatchObject({
      id: 'test.v1/3/7',
      type: '',
      key: '',
      value: '',
      headers: {},
    }));

  it('is measured with all that it carries', () => {
    const message = numbered(TOPIC, 'a', 1);
    const large = { ...message, headers: { ...message.headers, more: 'é'.repeat(500) } };
    expect(sizeOf(toKafka(large)) - sizeOf(toKafka(message))).toBe(1_008);
    expect(sizeOf({ key: null, value: BYTES, headers: { a: [BYTES, BYTES] } })).toBe(4 + 40 + 2 * (1 + 4 + 4));
    expect(sizeOf({ value: null })).toBe(40);
  });
});
