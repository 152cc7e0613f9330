import { roundRobin } from '../conformance/ledger';
import type { BusMessage } from '../port/bus';
import { Publisher } from './publisher';

const messages = roundRobin('test.v1', ['a'], 5_000);

/** A write that ends when told to. */
function slowWriter() {
  const writes: { messages: readonly BusMessage[]; end: (error?: Error) => void }[] = [];
  const publisher = new Publisher(
    (messages) =>
      new Promise((done, failed) => {
        writes.push({ messages, end: (error) => (error ? failed(error) : done()) });
      }),
  );
  return { writes, publisher };
}

describe('a publisher', () => {
  it('lets calls that come during a write travel together in the next, in their order', async () => {
    const { writes, publisher } = slowWriter();
    const calls = [0, 1, 2].map((n) => publisher.publish([messages[n]!]));
    expect(writes).toHaveLength(1);
    writes[0]!.end();
    await calls[0];
    expect(writes[1]!.messages).toEqual([messages[1], messages[2]]);
    writes[1]!.end();
    await Promise.all(calls);
  });

  it('starts again for a call that comes at the very end of a write', async () => {
    const { writes, publisher } = slowWriter();
    const first = publisher.publish([messages[0]!]);
    const second = first.then(() => publisher.publish([messages[1]!]));
    writes[0]!.end();
    await first;
    await Promise.resolve();
    expect(writes).toHaveLength(2);
    writes[1]!.end();
    await second;
  });

  it('tells each call of the failure of its own write, and goes on', async () => {
    const { writes, publisher } = slowWriter();
    const first = publisher.publish([messages[0]!]);
    const second = publisher.publish([messages[1]!]);
    writes[0]!.end(new Error('away'));
    await expect(first).rejects.toThrow('away');
    writes[1]!.end();
    await second;
  });

  it('bounds a write, but never cuts a call', async () => {
    const { writes, publisher } = slowWriter();
    const calls = [
      messages.slice(0, 1),
      messages.slice(0, 5_000),
      messages.slice(0, 1_500),
      messages.slice(0, 1_000),
    ].map((some) => publisher.publish(some));
    for (const call of calls.slice(0, 3).keys()) {
      writes[call]!.end();
      await calls[call];
    }
    expect(writes.map(({ messages: { length } }) => length)).toEqual([1, 5_000, 1_500, 1_000]);
    writes[3]!.end();
    await Promise.all(calls);
    await publisher.publish([]);
    expect(writes).toHaveLength(4);
  });
});
