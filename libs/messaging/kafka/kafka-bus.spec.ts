import { eventually } from '#testing';
import type { SubscribeOptions } from '../port/bus';
import { KafkaBus } from './kafka-bus';

/** What a consumer and an admin are asked for, and how to let them answer. */
const broker = { asked: [] as string[], answer: (): void => undefined };
const quiet = { connect: async () => undefined, disconnect: async () => undefined };
let leaderAnswers = (): Promise<never[]> => Promise.resolve([]);
let admin: { connect(): Promise<void>; disconnect(): Promise<void> } = quiet;
const held = (what: string) => {
  broker.asked.push(what);
  return new Promise<never[]>((done) => (broker.answer = () => done([])));
};

jest.mock('kafkajs', () => ({
  ...jest.requireActual<typeof import('kafkajs')>('kafkajs'),
  Kafka: class {
    consumer() {
      return {
        events: {},
        on: () => undefined,
        connect: async () => undefined,
        subscribe: async () => undefined,
        run: () => held('run'),
        disconnect: async () => void broker.asked.push('leave'),
      };
    }
    admin() {
      return {
        connect: () => admin.connect(),
        listTopics: async () => [],
        createTopics: async () => true,
        fetchTopicMetadata: async () => ({ topics: [{ partitions: [{ leader: 1 }] }] }),
        fetchTopicOffsets: () => leaderAnswers(),
        fetchOffsets: () => held('offsets'),
        disconnect: () => admin.disconnect(),
        events: {},
        on: () => () => undefined,
      };
    }
  },
}));

describe('a bus on Kafka that is closed while somebody begins to read on it', () => {
  let bus: KafkaBus;
  let begun: Promise<unknown>;
  const begin = (options: Pick<SubscribeOptions, 'from'>) => {
    broker.asked = [];
    bus = new KafkaBus('kafka://127.0.0.1:1');
    begun = bus.subscribe({ group: 'one', topics: ['test.v1'], onBatch: async () => undefined, ...options });
  };

  it('is closed when that one has left', async () => {
    begin({});
    await eventually(() => expect(broker.asked).toEqual(['run']));
    const closed = bus.close();
    broker.answer();
    await closed;
    expect(broker.asked).toEqual(['run', 'leave']);
    await begun;
  });

  it('lets nobody join who has yet to learn where to begin', async () => {
    begin({ from: 'latest' });
    await eventually(() => expect(broker.asked).toEqual(['offsets']));
    const closed = bus.close();
    broker.answer();
    await Promise.all([closed, begun]);
    expect(broker.asked).toEqual(['offsets']);
  });
});

describe('a bus on Kafka that is closed while somebody asks how it is', () => {
  afterEach(() => {
    admin = quiet;
    jest.useRealTimers();
  });

  it('does not wait for brokers that have fallen silent', async () => {
    jest.useFakeTimers();
    const bus = new KafkaBus('kafka://127.0.0.1:1');
    void bus.unread('one', ['test.v1']);
    admin = { ...quiet, disconnect: () => new Promise(() => undefined) };
    const closed = bus.close();
    await jest.advanceTimersByTimeAsync(3_000);
    await closed;
  });

  it('is closed well when they cannot be reached', async () => {
    let fail: (error: Error) => void = () => undefined;
    admin = { ...quiet, connect: () => new Promise((_, reject) => (fail = reject)) };
    const bus = new KafkaBus('kafka://127.0.0.1:1');
    const asked = bus.unread('one', ['test.v1']);
    const closed = bus.close();
    await new Promise(setImmediate);
    fail(new Error('away'));
    await expect(asked).rejects.toThrow('away');
    await closed;
  });
});

it('makes a topic that its leader answers for, who hears of it a moment after the others', async () => {
  const answers = [() => Promise.reject(new Error('This server is not the leader')), async () => []];
  leaderAnswers = () => answers.shift()!();
  await new KafkaBus('kafka://127.0.0.1:1').ensureTopics(['test.v1']);
  expect(answers).toEqual([]);
});
