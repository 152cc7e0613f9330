import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Registry } from 'prom-client';
import { EventStoreUnavailableError, type NewEvent } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { eventually } from '#testing';
import type { KeyStore } from '../keys/key-store';
import { LiveStream } from './live-stream';

class Response extends EventEmitter {
  readonly texts: string[] = [];
  readonly writableLength = 0;
  write = (text: string): number => this.texts.push(text);
  end = this.write;
  destroy = (): void => undefined;
}

const event = (n: number, workspace: string): NewEvent => ({
  id: `00000000-0000-4000-8000-00000000000${n}`,
  type: 'AccountConnected',
  data: { accountId: `acct_${n}`, platform: 'instagram', username: { $sealed: 'usr_1.1.x' }, profileId: 'p' },
  metadata: {
    workspace,
    actor: 'key_1',
    correlationId: 'c',
    causationId: null,
    commandId: `command ${n}`,
    schemaVersion: 1,
    occurredAt: '2026-05-01T12:00:00.000Z',
  },
});

describe('the shared reading of the live stream', () => {
  let store: MemoryEventStore;
  let live: LiveStream;
  const open = jest.fn<Promise<{ text: string }>, [workspace: string, text: string]>();
  const find = jest.fn<Promise<object | null>, []>();
  let hear: () => void;

  beforeEach(() => {
    store = new MemoryEventStore();
    // As far away as an engine: what reads in a loop lets others run meanwhile.
    const readAll = store.readAll.bind(store);
    store.readAll = async (options) => {
      await new Promise(setImmediate);
      return readAll(options);
    };
    open.mockReset().mockImplementation(async (_, text) => ({ text }));
    find.mockReset().mockResolvedValue({});
    const wake = { on: (_: string, it: () => void) => ((hear = it), () => undefined) };
    const log = { warn: jest.fn(), error: jest.fn() };
    const engines = { store, keys: { open }, log, metrics: new Registry(), wake };
    const keys = { cached: () => undefined, find };
    live = new LiveStream(engines as never, keys as unknown as KeyStore, { note: () => undefined });
  });
  afterEach(() => live.close());

  const append = (n: number, workspace = 'ws_1') =>
    store.append(`account-${workspace}:acct_${n}`, [event(n, workspace)], -1);
  const read = (after: number, workspace = 'ws_1') => {
    const response = new Response();
    live.add({ workspace, after, key: 'k', response: response as unknown as ServerResponse });
    const told = () => response.texts.filter((text) => text.startsWith('id: ')).map((text) => /acct_\d/.exec(text)![0]);
    return { response, told };
  };

  it('ends all who waited for its beginning when that fails, and begins anew with who comes next', async () => {
    await append(1);
    jest.spyOn(store, 'head').mockRejectedValueOnce(new EventStoreUnavailableError('away'));
    const reads = jest.spyOn(store, 'readAll');
    const both = [read(0), read(0)];
    await eventually(() => {
      for (const { response } of both) expect(response.texts.at(-1)).toContain('{"reason":"error"}');
    });
    const next = read(0);
    await eventually(() => expect(next.told()).toEqual(['acct_1']));
    await append(2);
    await eventually(() => expect(next.told()).toEqual(['acct_1', 'acct_2']));
    expect(reads.mock.calls.filter(([{ workspace }]) => workspace === 'ws_1')).toHaveLength(1);
  });

  it('tells a reader nothing less because one that its last reader had left was still under way', async () => {
    let go: (opened: { text: string }) => void = () => undefined;
    const first = read(0);
    await eventually(() => expect(store['hearers'].size).toBe(1));
    open.mockReturnValueOnce(new Promise((opened) => (go = opened)));
    await append(1);
    await eventually(() => expect(open).toHaveBeenCalled());
    first.response.emit('close');
    await append(2);
    read(2);
    await eventually(() => expect(store['hearers'].size).toBe(2));
    go({ text: '' });
    await new Promise(setImmediate);
    const late = read(1);
    await eventually(() => expect(late.told()).toEqual(['acct_2']));
    // They all share one reading.
    await eventually(() => expect(store['hearers'].size).toBe(1));
  });

  it('ends for all when it fails, and begins anew with who comes next', async () => {
    const both = [read(0), read(0)];
    await eventually(() => expect(store['hearers'].size).toBe(1));
    open.mockRejectedValueOnce(new Error('away'));
    await append(1);
    await eventually(() => {
      for (const { response } of both) expect(response.texts.at(-1)).toContain('{"reason":"error"}');
    });
    const next = read(0);
    await append(2);
    await eventually(() => expect(next.told()).toEqual(['acct_1', 'acct_2']));
  });

  it('begins for nobody any more once it is closed', async () => {
    live.close();
    const late = read(0);
    expect(late.response.texts.at(-1)).toContain('{"reason":"shutdown"}');
    await append(1);
    expect(store['hearers'].size).toBe(0);
  });

  it('ends for a key that has ended, and not for one that cannot be looked up', async () => {
    const { response, told } = read(0);
    find.mockRejectedValueOnce(new Error('away'));
    hear();
    await append(1);
    await eventually(() => expect(told()).toEqual(['acct_1']));
    find.mockResolvedValueOnce(null);
    hear();
    await eventually(() => expect(response.texts.at(-1)).toContain('{"reason":"key"}'));
    // The last reader has gone: nothing is read for nobody.
    await eventually(() => expect(store['hearers'].size).toBe(0));
  });

  it('tells the first reader of a workspace what it came upon before that one was there', async () => {
    let go = (): void => undefined;
    read(0);
    await eventually(() => expect(store['hearers'].size).toBe(1));
    open.mockImplementationOnce((_, text) => new Promise((opened) => (go = () => opened({ text }))));
    await Promise.all([append(1), append(2, 'ws_2')]);
    await eventually(() => expect(open).toHaveBeenCalled());
    const theirs = read(0, 'ws_2');
    go();
    await eventually(() => expect(theirs.told()).toEqual(['acct_2']));
  });

  it('leaves the process to others while it tells many readers much, who all hear it in order', async () => {
    const readers = Array.from({ length: 500 }, () => read(0));
    await eventually(() => [...live['readers']].every(({ isJoined }) => isJoined));
    const last = readers.at(-1)!;
    let heardMeanwhile: number | undefined;
    const write = last.response.write;
    last.response.write = (text) => {
      setImmediate(() => (heardMeanwhile ??= last.told().length));
      return write(text);
    };
    const nine = Array.from({ length: 9 }, (_, n) => event(n + 1, 'ws_1'));
    await store.append('account-ws_1:acct_1', nine, -1);
    const all = nine.map((_, n) => `acct_${n + 1}`);
    await eventually(() => expect(last.told()).toEqual(all));
    for (const { told } of readers) expect(told()).toEqual(all);
    expect(heardMeanwhile).toBeLessThan(all.length);
  });

  it('tells a reader nothing that stands before its own place', async () => {
    let go = (): void => undefined;
    const first = read(0);
    await eventually(() => expect(store['hearers'].size).toBe(1));
    open.mockImplementationOnce((_, text) => new Promise((opened) => (go = () => opened({ text }))));
    await append(1);
    await eventually(() => expect(open).toHaveBeenCalled());
    const ahead = read(1);
    await append(2);
    go();
    await eventually(() => expect([first, ahead].map(({ told }) => told().at(-1))).toEqual(['acct_2', 'acct_2']));
    expect(first.told()).toEqual(['acct_1', 'acct_2']);
    expect(ahead.told()).toEqual(['acct_2']);
  });

  it('tells a reader that still catches up nothing out of order', async () => {
    let go = (): void => undefined;
    const first = read(0);
    await eventually(() => expect(store['hearers'].size).toBe(1));
    await append(1);
    await eventually(() => expect(first.told()).toEqual(['acct_1']));
    open.mockImplementationOnce((_, text) => new Promise((opened) => (go = () => opened({ text }))));
    const behind = read(0);
    await eventually(() => expect(open).toHaveBeenCalledTimes(2));
    await append(2);
    await eventually(() => expect(first.told()).toEqual(['acct_1', 'acct_2']));
    go();
    await eventually(() => expect(behind.told()).toEqual(['acct_1', 'acct_2']));
  });

  it('tells a reader nothing less because a beginning that its last reader had left came late', async () => {
    await append(1);
    let answer: (head: number) => void = () => undefined;
    jest.spyOn(store, 'head').mockReturnValueOnce(new Promise((head) => (answer = head)));
    read(0).response.emit('close');
    const second = read(1);
    await append(2);
    await eventually(() => expect(second.told()).toEqual(['acct_2']));
    answer(1);
    await new Promise(setImmediate);
    const late = read(1);
    await eventually(() => expect(late.told()).toEqual(['acct_2']));
  });
});
