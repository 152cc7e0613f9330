import { PassThrough } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { EventStoreDBClient, jsonEvent, MaxAppendSizeExceededError } from '@eventstore/db-client';
import { eventually } from '#testing';
import { collect, event, expectInOrder } from '../conformance/support';
import { EventStoreUnavailableError, NO_STREAM, NoSuchPositionError, WrongRevisionError } from '../port/event-store';
import { EventStoreDbDouble } from './double/eventstoredb-double';
import { EventStoreDbEventStore } from './eventstoredb-event-store';

const stream = 'thing-ws_1:a';

describe('the log in EventStoreDB, when things go wrong,', () => {
  let double: EventStoreDbDouble;
  let store: EventStoreDbEventStore;
  let control: AbortController;
  let faults: Error[];
  const follow = (after: number, maxBatch = 100) =>
    collect(store.follow({ after, maxBatch, signal: control.signal, onFault: (error) => faults.push(error) }));
  const appendMany = async (from: number, to: number) => {
    for (let n = from; n < to; n++) await store.append(stream, [event(`${n}`)], n - 1);
  };
  const revisions = (events: readonly { revision: number }[]) => events.map(({ revision }) => revision);
  const upTo = (length: number) => Array.from({ length }, (_, n) => n);

  beforeEach(async () => {
    double = await EventStoreDbDouble.start();
    store = new EventStoreDbEventStore(double.url, { deadlineMs: 8_000, attemptMs: 1_000, watchMs: 100 });
    control = new AbortController();
    faults = [];
  });
  afterEach(async () => {
    control.abort();
    await store.close();
    await double.stop();
  });

  it('appends once although the answer was lost with its connection', async () => {
    double.faults.lostAnswers = 2;
    const appended = await store.append(stream, [event('1'), event('2')], NO_STREAM);
    expect(appended.revision).toBe(1);
    expect(await store.read(stream)).toHaveLength(2);
    expect(await store.append(stream, [event('1'), event('2')], NO_STREAM)).toEqual(appended);
  });

  it('asks again when an append is never answered, for which the client itself has no deadline', async () => {
    double.faults.unanswered = 1;
    await expect(store.append(stream, [event('1')], NO_STREAM)).resolves.toMatchObject({ revision: 0 });
    expect(await store.read(stream)).toHaveLength(1);
  });

  it('still tells a wrong revision with its numbers after a lost answer', async () => {
    await store.append(stream, [event('1')], NO_STREAM);
    double.faults.lostAnswers = 1;
    const refused = store.append(stream, [event('2')], 4);
    await expect(refused).rejects.toBeInstanceOf(WrongRevisionError);
    await expect(refused).rejects.toMatchObject({ stream, expected: 4, actual: 0 });
  });

  it('asks again when a read stops in its middle and does not end', async () => {
    await appendMany(0, 3);
    double.faults.stuckReads = 1;
    expect(revisions(await store.read(stream))).toEqual([0, 1, 2]);
    double.faults.stuckReads = 1;
    expect((await store.readAll({ after: 0, limit: 10 })).events).toHaveLength(3);
    // Nor does what was given up keep its connection.
    await eventually(() => expect(double.connections).toBe(1));
  });

  it('takes leave of a read that it gives up, also of one that no node was found for', async () => {
    const cancel = jest.fn(() => Promise.reject(new Error('no node')));
    const stuck = () => Object.assign(new PassThrough({ objectMode: true }), { cancel });
    await expect(store['connection'].drain(stuck as never, { deadlineMs: 10 })).rejects.toBeInstanceOf(
      EventStoreUnavailableError,
    );
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  it('leaves a connection behind once, however many had waited on it', async () => {
    const connection = store['connection'];
    const broken = await connection.current();
    connection.renew(broken);
    expect(broken.gone.aborted).toBe(true);
    const next = await connection.current();
    connection.renew(broken);
    expect([await connection.current(), next.gone.aborted]).toEqual([next, false]);
  });

  it('lets a read take its time as long as it goes on', async () => {
    await appendMany(0, 8);
    double.faults.paceMs = 60;
    const hurried = new EventStoreDbEventStore(double.url, { deadlineMs: 300, attemptMs: 300 });
    expect(revisions(await hurried.read(stream))).toEqual(upTo(8));
    await hurried.close();
    await store.close();
    await eventually(() => expect(double.connections).toBe(0));
  });

  it('says at once of a position that there is no event, and does not ask again', async () => {
    const { position } = await store.append(stream, [event('1')], NO_STREAM);
    const began = performance.now();
    const read = store.readAll({ after: position - 1, limit: 10 });
    await expect(read).rejects.toBeInstanceOf(NoSuchPositionError);
    expect(performance.now() - began).toBeLessThan(4_000);
  });

  it('gives up what is under way when it is closed, asks nothing more, and leaves no connection', async () => {
    await appendMany(0, 1);
    double.faults.unanswered = 1;
    const began = performance.now();
    const append = store.append(stream, [event('1')], 0).catch((error: Error) => error);
    await eventually(() => expect(double.faults.unanswered).toBe(0), { every: 1 });
    await store.close();
    expect(await append).toBeInstanceOf(EventStoreUnavailableError);
    await expect(store.read(stream)).rejects.toBeInstanceOf(EventStoreUnavailableError);
    expect(performance.now() - began).toBeLessThan(900);
    expect(double.log.stream(stream)).toHaveLength(1);
    await eventually(() => expect(double.connections).toBe(0));
  });

  it('ends what waits on a connection that carries nothing any more when it is closed', async () => {
    const patient = new EventStoreDbEventStore(double.url, { deadlineMs: 60_000, attemptMs: 60_000 });
    await appendMany(0, 1);
    double.faults.stuckReads = 1;
    let end: unknown;
    patient.read(stream).catch((error: Error) => (end = error));
    await eventually(() => expect(double.faults.stuckReads).toBeLessThan(1), { every: 1 });
    double.deafen();
    await patient.close();
    await eventually(() => expect(end).toBeInstanceOf(EventStoreUnavailableError), { within: 10_000 });
  });

  it('is refused an append of more than a megabyte at once, and has written nothing of it', async () => {
    const large = Array.from({ length: 3 }, (_, n) => event(`${n}`, { text: 'x'.repeat(400_000) }));
    const began = performance.now();
    const refused = store.append(stream, large, NO_STREAM);
    await expect(refused).rejects.toBeInstanceOf(MaxAppendSizeExceededError);
    // Not tried again until the deadline.
    expect(performance.now() - began).toBeLessThan(6_000);
    expect(await store.read(stream)).toEqual([]);
  });

  it('is patient with slow answers', async () => {
    double.faults.slowMs = 150;
    await appendMany(0, 3);
    expect(revisions(await store.read(stream))).toEqual([0, 1, 2]);
  });

  it('says that it is unavailable while the node is away, and goes on by itself when it is back', async () => {
    const hurried = new EventStoreDbEventStore(double.url, { deadlineMs: 300, attemptMs: 200, watchMs: 100 });
    const { events } = follow(0);
    await store.append(stream, [event('0')], NO_STREAM);
    await eventually(() => expect(events).toHaveLength(1));
    await double.cutWire();
    await expect(hurried.append(stream, [event('1')], 0)).rejects.toBeInstanceOf(EventStoreUnavailableError);
    await expect(hurried.check()).rejects.toThrow(/^EventStoreDB does not answer: /);
    await double.connectWire();
    await eventually(() => hurried.append(stream, [event('1')], 0).then(() => true));
    await eventually(() => expect(revisions(events)).toEqual([0, 1]));
    expect(faults.length).toBeGreaterThan(0);
    await hurried.close();
  });

  it('subscribes again when the server ends the subscription in good order', async () => {
    const { events } = follow(0);
    for (let round = 0; round < 3; round++) {
      await eventually(() => expect(double.subscribers).toBe(1));
      await appendMany(round * 5, round * 5 + 5);
      double.endSubscriptions();
    }
    await eventually(() => expect(revisions(events)).toEqual(upTo(15)));
    await eventually(() =>
      expect(faults.map(({ message }) => message)).toContain(
        'EventStoreDB does not answer: the server ended the subscription',
      ),
    );
  });

  it('leaves no subscription behind when its follower has ended', async () => {
    const { done } = follow(0);
    await eventually(() => expect(double.subscribers).toBe(1));
    control.abort();
    await done;
    await eventually(() => expect(double.subscribers).toBe(0));
  });

  it('notices that a subscription has gone silent while the log goes on', async () => {
    const { events } = follow(0);
    await appendMany(0, 3);
    await eventually(() => expect(events).toHaveLength(3));
    double.faults.silent = true;
    await appendMany(3, 6);
    await eventually(() => expect(faults.map(({ message }) => message).join()).toContain('gone silent'));
    expect(events).toHaveLength(3);
    double.faults.silent = false;
    await eventually(() => expect(revisions(events)).toEqual(upTo(6)));
  });

  it('leaves a subscription alone that is silent because nothing happens, whatever the node writes for itself', async () => {
    await appendMany(0, 2);
    const { events } = follow(0);
    await eventually(() => expect(events).toHaveLength(2));
    faults.splice(0);
    const head = await store.head();
    for (let n = 0; n < 100; n++) double.log.writeStatistics();
    await pause(500);
    expect(faults).toEqual([]);
    expect(await store.head()).toBe(head);
    expect((await store.readAll({ after: head, limit: 10 })).events).toEqual([]);
  });

  it('hands an event out once although it is sent twice', async () => {
    double.faults.duplicates = true;
    const { events } = follow(0, 3);
    await appendMany(0, 10);
    await eventually(() => expect(events.length).toBeGreaterThanOrEqual(10));
    expect(revisions(events)).toEqual(upTo(10));
  });

  it('turns to the leader that a follower names', async () => {
    const leader = await EventStoreDbDouble.start(double.log);
    double.faults.leader = { host: '127.0.0.1', port: leader.port };
    await appendMany(0, 3);
    expect(revisions(await store.read(stream))).toEqual([0, 1, 2]);
    const { position } = (await store.read(stream, 2))[0]!;
    expect(await store.head()).toBe(position);
    // One that has heard of nothing yet, and whoever asks it first.
    const behind = await EventStoreDbDouble.start();
    behind.faults.leader = { host: '127.0.0.1', port: leader.port };
    const asked = async <T>(ask: (store: EventStoreDbEventStore) => Promise<T>): Promise<T> => {
      const fresh = new EventStoreDbEventStore(behind.url);
      return ask(fresh).finally(() => fresh.close());
    };
    expect(await asked((fresh) => fresh.head())).toBe(position);
    expect(await asked((fresh) => fresh.read(stream))).toHaveLength(3);
    expect((await asked((fresh) => fresh.readAll({ after: 0, limit: 10 }))).events).toHaveLength(3);
    await Promise.all([leader.stop(), behind.stop()]);
  });

  it('leaves a connection behind that stands and carries nothing any more', async () => {
    const { events } = follow(0);
    await appendMany(0, 1);
    await eventually(() => expect(events).toHaveLength(1));
    double.deafen();
    await appendMany(1, 2);
    await eventually(() => expect(revisions(events)).toEqual([0, 1]));
  });

  it('passes what others wrote into the same store', async () => {
    const stranger = EventStoreDBClient.connectionString(double.url);
    await stranger.appendToStream('invoice-7', [jsonEvent({ type: 'InvoiceSent', data: { total: 1 } })]);
    const { events } = follow(0);
    await appendMany(0, 2);
    await eventually(() => expect(revisions(events)).toEqual([0, 1]));
    expect((await store.readAll({ after: 0, limit: 1 })).events).toMatchObject([
      { type: 'ThingHappened', revision: 0 },
    ]);
    await stranger.dispose();
    (await stranger['getChannel']()).close();
  });

  it('stores the correlation under the names that the store itself knows', async () => {
    const one = event('1');
    await store.append(stream, [{ ...one, metadata: { ...one.metadata, causationId: 'cause-1' } }], NO_STREAM);
    const record = double.log.stream(stream)![0]!;
    expect(record).toMatchObject({ id: one.id, type: 'ThingHappened', contentType: 'application/json' });
    expect(JSON.parse(Buffer.from(record.metadata).toString())).toMatchObject({
      $correlationId: 'correlation-1',
      $causationId: 'cause-1',
      workspace: 'ws_1',
    });
  });

  it('loses, doubles and reorders nothing while connections are cut and subscriptions ended', async () => {
    const WRITERS = 8;
    const EACH = 25;
    const followers = [1_000, 50, 7].map((maxBatch) => follow(0, maxBatch));
    const acknowledged = new Map<string, number>();
    let cuts = 0;
    const write = async (writer: number) => {
      for (let n = 0; n < EACH; n++) {
        const { position } = await store.append(`thing-ws_1:${writer}`, [event(`${writer}.${n}`)], n - 1);
        acknowledged.set(event(`${writer}.${n}`).id, position);
        if (acknowledged.size % 25 !== 0) continue;
        if (++cuts % 3 === 0) double.endSubscriptions();
        else double.cut();
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    expect(cuts).toBe((WRITERS * EACH) / 25);
    const log = (await store.readAll({ after: 0, limit: 10_000 })).events;
    expect(log).toHaveLength(WRITERS * EACH);
    expectInOrder(log);
    for (const { id, position } of log) expect(acknowledged.get(id)).toBe(position);
    const late = follow(log[123]!.position);
    await eventually(() => expect(late.events).toEqual(log.slice(124)), { within: 60_000 });
    for (const { events } of followers) await eventually(() => expect(events).toEqual(log), { within: 60_000 });
  });
});
