import { contracts } from '#webhook-contracts';
import type { Endpoint } from '../endpoints/endpoint';
import { Dispatcher, type DispatcherNeeds } from './dispatcher';
import { Memory } from './memory';
import type { Task } from './task';

const part = (memory: Memory, size: number): number => {
  const { part: most } = memory;
  for (let n = 0; n < most; n++) memory.take(size);
  return most;
};

describe('memory', () => {
  it('gives each a part of what is left, so that there is always some for the next', () => {
    const memory = new Memory({ count: 20_000, size: 100_000_000 });
    const parts = Array.from({ length: 100 }, () => part(memory, 1_000));
    expect(parts.slice(0, 2)).toEqual([5_000, 3_750]);
    expect(parts.at(-1)).toBe(1);
    for (let n = 0; n < 5_000; n++) memory.give(1_000);
    expect(memory.part).toBeGreaterThan(1_000);
  });

  it('holds fewer of what is large', () => {
    const memory = new Memory({ count: 20_000, size: 100_000_000 });
    for (let n = 0; n < 100; n++) memory.take(200_000);
    expect(memory.part).toBe(100);
    for (let n = 0; n < 1_000; n++) memory.take(200_000);
    expect(memory.part).toBe(1);
    for (let n = 0; n < 1_100; n++) memory.give(200_000);
    expect(memory.part).toBe(5_000);
  });
});

describe('the dispatcher', () => {
  const endpoint = (no: number) =>
    ({
      no,
      open: true,
      contract: contracts.get('core')!,
      row: { config: { rateLimitPerSecond: null, targetUrl: 'https://example.com/' } },
    }) as Endpoint;
  const task = (of: Endpoint, body: string) => ({ endpoint: of.no, body, lane: null }) as Task;

  it.each([
    ['', 1_000],
    ['with large bodies ', 200_000],
  ])('has memory %sfor one endpoint more, however many hang', (_, size) => {
    // Nothing that is given to it goes.
    const needs = { endpoint, isHeld: () => true, concurrency: 256, retryScale: 1 } as unknown as DispatcherNeeds;
    const dispatcher = new Dispatcher(needs);
    const body = 'x'.repeat(size);
    for (let no = 0; no < 1_000; no++) {
      const hanging = endpoint(no);
      const room = dispatcher.room(hanging);
      expect(room).toBeGreaterThan(0);
      dispatcher.submit(Array.from({ length: room }, () => task(hanging, body)));
    }
    const { buffered } = dispatcher.load;
    expect(buffered).toBeLessThan(25_000);
    expect(buffered * size).toBeLessThan(64_000_000 + 1_200 * size);
    expect(dispatcher.room(endpoint(1_000))).toBeGreaterThan(0);
    expect(dispatcher.roomForBacklog(endpoint(1_000))).toBeGreaterThan(0);
  });
});
