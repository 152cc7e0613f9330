import type { ConsumerRunConfig, EachBatchPayload, Kafka } from 'kafkajs';
import type { ReceivedMessage, SubscribeOptions } from '../port/bus';
import { KafkaMember } from './kafka-member';

const SESSION_MS = 6_000;

describe('a member of a Kafka group', () => {
  const run: { eachBatch?: ConsumerRunConfig['eachBatch'] } = {};
  const heard = new Map<string, (event: { payload: object }) => void>();
  const consumer = {
    events: {
      HEARTBEAT: 'heartbeat',
      FETCH: 'fetch',
      GROUP_JOIN: 'group_join',
      REQUEST_TIMEOUT: 'silence',
    },
    on: (event: string, tell: (event: { payload: object }) => void) => void heard.set(event, tell),
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
        messages: [
          {
            key: Buffer.from('a'),
            value: Buffer.from('{}'),
            offset: String(offset),
            headers: {},
          },
        ],
      },
      heartbeat,
      isRunning: () => true,
      isStale: () => false,
      resolveOffset: () => undefined,
      commitOffsetsIfNecessary: async () => undefined,
    }) as unknown as EachBatchPayload;

  const memberOf = (onBatch: SubscribeOptions['onBatch'], onLost: (reason: Error) => void) =>
    new KafkaMember(
      { kafka, park: async () => undefined, onJoined: () => undefined, onLost },
      { group: 'one', topics: ['test.v1'], onBatch },
      { sessionTimeoutMs: SESSION_MS, metadataAgeMs: 30_000 },
    );

  /** Offsets that the handler got, when a heartbeat was answered with this in the middle of the first batch. */
  async function handledAfter(fault: Error): Promise<number[]> {
    const handled: number[] = [];
    let goOn: () => void = () => undefined;
    const onBatch = async (messages: readonly ReceivedMessage[]) => {
      if (handled.length === 0) await new Promise<void>((done) => (goOn = done));
      handled.push(...messages.map(({ offset }) => offset));
    };
    const member = memberOf(onBatch, () => undefined);
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

  /** Whether it is given up in so many beats, a quarter of a session apart, each of which goes with this. */
  async function isLost(beats: number, prepare: () => Promise<void>, withEach: () => void): Promise<boolean> {
    jest.useFakeTimers();
    try {
      let lost = false;
      const member = memberOf(
        async () => undefined,
        () => (lost = true),
      );
      await member.join();
      await prepare();
      for (let beat = 0; beat < beats; beat++) {
        await jest.advanceTimersByTimeAsync(SESSION_MS / 4);
        withEach();
        member.beat();
      }
      await member.leave();
      return lost;
    } finally {
      jest.useRealTimers();
    }
  }

  /** The same, when the coordinator answers commits so. */
  const isLostCommitting = (beats: number, commitOffsetsIfNecessary: () => Promise<void>) =>
    isLost(
      beats,
      async () => {
        const taken = run.eachBatch!({
          ...payload(0, async () => undefined),
          commitOffsetsIfNecessary,
        });
        await jest.advanceTimersByTimeAsync(0);
        await taken;
      },
      () => undefined,
    );
  const refused = () => Promise.reject(Object.assign(new Error('x'), { type: 'NOT_COORDINATOR_FOR_GROUP' }));

  it('is lost when its commits are refused for a session, and no sooner', async () => {
    expect(await isLostCommitting(4, refused)).toBe(false);
    expect(await isLostCommitting(5, refused)).toBe(true);
  });

  it('is not lost when a coordinator that refused takes its commits again, or has other troubles', async () => {
    let tries = 0;
    expect(await isLostCommitting(9, () => (tries++ < 3 ? refused() : Promise.resolve()))).toBe(false);
    expect(await isLostCommitting(9, () => Promise.reject(new Error('Request OffsetCommit timed out')))).toBe(false);
  });

  it('is lost at the first request that is not answered', async () => {
    const reasons: string[] = [];
    const member = memberOf(
      async () => undefined,
      ({ message }) => reasons.push(message),
    );
    await member.join();
    heard.get('silence')!({ payload: { apiName: 'Fetch', broker: 'a:1' } });
    expect(reasons).toEqual(['No answer from a:1 to Fetch']);
    await member.leave();
  });

  it('is lost when its group hears nothing of it for five sessions, whatever it fetches meanwhile', async () => {
    const isLostHearing = (event: string) =>
      isLost(
        21,
        async () => heard.get('group_join')!({ payload: {} }),
        () => heard.get(event)?.({ payload: {} }),
      );
    expect(await isLostHearing('heartbeat')).toBe(false);
    expect(await isLostHearing('fetch')).toBe(true);
  });

  it('goes on after a heartbeat that failed in passing', async () =>
    expect(await handledAfter(new Error('Closed connection'))).toEqual([0, 1]));

  it('takes nothing more once a heartbeat has told of a rebalance', async () =>
    expect(await handledAfter(Object.assign(new Error('x'), { type: 'REBALANCE_IN_PROGRESS' }))).toEqual([0]));
});
