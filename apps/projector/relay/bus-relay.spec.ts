import { pino } from 'pino';
import { Registry } from 'prom-client';
import { publicEventId, uuidv7 } from '#kernel';
import type { ReceivedMessage, Subscription } from '#messaging';
import { MemoryBus } from '#messaging/memory/memory-bus';
import { MemoryKeyTable, SubjectKeys } from '#personal-data';
import { Health } from '#platform';
import { fromBusMessage, toBusMessage, TOPICS, type CoreMessage } from '#public-messages';
import { eventually } from '#testing';
import { BusRelay } from './bus-relay';

describe('the relay', () => {
  it('leaves the other metrics alone while the outbox is away', async () => {
    const outbox = new MemoryBus();
    const subscribe = outbox.subscribe.bind(outbox);
    const subscriptions: Subscription[] = [];
    outbox.subscribe = async (options) => {
      const subscription = await subscribe(options);
      subscriptions.push(subscription);
      jest.spyOn(subscription, 'close');
      return Object.assign(subscription, { lag: () => Promise.reject(new Error('away')) });
    };
    const [metrics, health] = [new Registry(), new Health()];
    const log = pino({ level: 'silent' });
    const relay = new BusRelay({ outbox, bus: new MemoryBus(), metrics, health, log, keys: {} as SubjectKeys });
    await relay.start();
    expect(await metrics.metrics()).toContain('postledger_relay_lag_messages Nan');
    expect((await health.ready()).parts).toMatchObject({ relay: { ok: false, detail: 'away' } });
    await relay.stop();
    expect(subscriptions.map(({ close }) => jest.mocked(close).mock.calls.length)).toEqual([1]);
  });

  it('is none where the outbox is the bus', async () => {
    const bus = new MemoryBus();
    const [ensureTopics, subscribe] = [jest.spyOn(bus, 'ensureTopics'), jest.spyOn(bus, 'subscribe')];
    const [metrics, health] = [new Registry(), new Health()];
    const log = pino({ level: 'silent' });
    const relay = new BusRelay({ outbox: bus, bus, metrics, health, log, keys: {} as SubjectKeys });
    await relay.start();
    expect(ensureTopics).toHaveBeenCalledWith(Object.values(TOPICS));
    expect(subscribe).not.toHaveBeenCalled();
    expect((await health.ready()).parts).toEqual({});
    await relay.stop();
  });

  it('says what is personal in clear, and sealed beside it for our own apps', async () => {
    const [outbox, bus] = [new MemoryBus(), new MemoryBus()];
    const wrapping = { encrypt: (text: string) => text, decrypt: (box: string) => box };
    const keys = new SubjectKeys({ table: new MemoryKeyTable(), wrapping });
    const cancelled = async (subject: string) => {
      const reason = (await keys.key('ws_1', subject)).seal(`${subject}/reason`, '"Ünwell"');
      return messageOf(JSON.stringify({ postId: 'pst_1', reason, profileId: 'prof_1' }));
    };
    const sent = [
      messageOf('{"postId":"pst_1","reason":null,"profileId":"prof_1"}'),
      await cancelled('usr_ada'),
      await cancelled('usr_gone'),
    ];
    await keys.destroy('ws_1', [{ subject: 'usr_gone', generation: 1 }], '2026-05-01T10:00:00.000Z');
    const arrived: ReceivedMessage[] = [];
    const onBatch = async (messages: readonly ReceivedMessage[]) => void arrived.push(...messages);
    await bus.subscribe({ group: 'others', topics: [TOPICS.posts], onBatch });
    const ensureTopics = jest.spyOn(bus, 'ensureTopics');
    const log = pino({ level: 'silent' });
    const [metrics, health] = [new Registry(), new Health()];
    const relay = new BusRelay({ outbox, bus, metrics, health, log, keys });
    await relay.start();
    expect(ensureTopics).toHaveBeenCalledWith(Object.values(TOPICS));
    jest.spyOn(bus, 'publish').mockRejectedValueOnce(new Error('away'));
    await outbox.publish(sent.map(toBusMessage));
    await eventually(() => expect(arrived).toHaveLength(3));
    await eventually(async () => expect(await metrics.metrics()).toContain('postledger_relay_messages_total 3\n'));
    const mended = { relay: { ok: true, lag: 0, lastError: expect.anything() } };
    await eventually(async () => expect((await health.ready()).parts).toEqual(mended));
    expect(arrived.map(({ value }) => (JSON.parse(value) as { reason: unknown }).reason)).toEqual([
      null,
      'Ünwell',
      null,
    ]);
    expect(arrived.map(fromBusMessage)).toEqual(sent);
    await relay.stop();
    await Promise.all([outbox.close(), bus.close()]);
  });
});

/** What a cancelled post says. */
const messageOf = (dataJson: string): CoreMessage => ({
  id: publicEventId(uuidv7()),
  type: 'post.cancelled',
  topic: TOPICS.posts,
  workspace: 'ws_1',
  key: 'pst_1',
  createdAt: '2026-05-01T10:00:00.000Z',
  dataJson,
  position: 42,
  index: 0,
  actor: 'usr_1',
  correlationId: 'c',
  isWebhook: true,
});
