import type { ConsumerRunConfig, EachBatchPayload, Kafka } from 'kafkajs';
import type { ReceivedMessage } from '../port/bus';
import { KafkaMember } from './kafka-member';

describe('a member of a Kafka group', () => {
  const run: { eachBatch?: ConsumerRunConfig['eachBatch'] } = {};
  const consumer = {
    events: {},
    on: () => undefined,
    connect: async () => undefined,
    subscribe: async () => undefined,
    run: async ({ eachBatch }: ConsumerRunConfig) => void (run.eachBatch = eachBatch),
    disconnect: async () => undefined,
  };
  const kafka = { consumer: () => consumer } as unknown as Kafka;
  const payload = (offset: number, heartbeat: () => Promise<void>) =>
    ({
      batch: {
        topic: 'test.v1',
        partition: 0,
        messages: [{ key: Buffer.from('a'), value: Buffer.from('{}'), offset: String(offset), headers: {} }],
      },
      heartbeat,
      isRunning: () => true,
      isStale: () => false,
      resolveOffset: () => undefined,
      commitOffsetsIfNecessary: async () => undefined,
    }) as unknown as EachBatchPayload;

  /** Offsets that the handler got, when a heartbeat was answered with this in the middle of the first batch. */
  async function handledAfter(fault: Error): Promise<number[]> {
    const handled: number[] = [];
    let goOn: () => void = () => undefined;
    const onBatch = async (messages: readonly ReceivedMessage[]) => {
      if (handled.length === 0) await new Promise<void>((done) => (goOn = done));
      handled.push(...messages.map(({ offset }) => offset));
    };
    const member = new KafkaMember(
      { kafka, park: async () => undefined, onJoined: () => undefined, onLost: () => undefined },
      { group: 'one', topics: ['test.v1'], onBatch },
      { sessionTimeoutMs: 6_000, metadataAgeMs: 30_000 },
    );
    await member.join();
    let beats = 0;
    const first = run.eachBatch!(payload(0, async () => (beats++ === 0 ? Promise.reject(fault) : undefined)));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    member.beat();
    await new Promise(setImmediate);
    goOn();
    await first;
    await run.eachBatch!(payload(1, async () => undefined));
    await member.leave();
    return handled;
  }

  it('goes on after a heartbeat that failed in passing', async () =>
    expect(await handledAfter(new Error('Closed connection'))).toEqual([0, 1]));

  it('takes nothing more once a heartbeat has told of a rebalance', async () =>
    expect(await handledAfter(Object.assign(new Error('x'), { type: 'REBALANCE_IN_PROGRESS' }))).toEqual([0]));
});
