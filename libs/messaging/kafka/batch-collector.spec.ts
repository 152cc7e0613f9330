import { numbered } from '../conformance/ledger';
import { PoisonMessageError, type ReceivedMessage } from '../port/bus';
import { BatchCollector } from './batch-collector';

const of = (partition: number, count: number): ReceivedMessage[] =>
  Array.from({ length: count }, (_, n) => ({
    ...numbered('test.v1', `key-${partition}`, n + 1),
    partition,
    offset: n,
  }));

/** A collector whose handler and commit are told what to do, with a diary of both. */
function collector(
  onBatch: (messages: readonly ReceivedMessage[], signal: AbortSignal) => Promise<void>,
  maxBatch = 500,
) {
  const [commits, parked, faults]: [number[], string[], string[]] = [[], [], []];
  const it = new BatchCollector(
    { onBatch, maxBatch, onFault: ({ message }) => faults.push(message) },
    async ({ poison }) => void parked.push(poison.id),
    async ({ length }) => void commits.push(length),
  );
  return { it, commits, parked, faults };
}

describe('a collector of partitions', () => {
  it('makes one batch and one commit of what several partitions bring at once', async () => {
    const sizes: number[] = [];
    const { it, commits } = collector(async ({ length }) => void sizes.push(length));
    expect(await Promise.all([0, 1, 2, 3].map((partition) => it.handle(of(partition, 10))))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(sizes).toEqual([40]);
    expect(commits).toEqual([40]);
  });

  it('keeps to the largest batch', async () => {
    const sizes: number[] = [];
    const { it } = collector(async ({ length }) => void sizes.push(length), 25);
    await Promise.all([0, 1, 2, 3].map((partition) => it.handle(of(partition, 10))));
    expect(sizes).toEqual([20, 20]);
  });

  it('keeps to the size of a batch, of large messages', async () => {
    const sizes: number[] = [];
    const { it } = collector(async ({ length }) => void sizes.push(length));
    const value = 'x'.repeat(500_000);
    const large = (partition: number) => of(partition, 5).map((message) => ({ ...message, value }));
    await Promise.all([0, 1, 2, 3].map((partition) => it.handle(large(partition))));
    expect(sizes).toEqual([15, 5]);
  });

  it('commits nothing of a batch that fails, and tries it again', async () => {
    let failures = 2;
    const { it, commits, faults } = collector(async () => {
      if (failures-- > 0) throw new TypeError('no');
    });
    expect(await it.handle(of(0, 3))).toBe(true);
    expect(faults).toEqual(['no', 'no']);
    expect(commits).toEqual([3]);
  });

  it('commits together what was handled during a commit, and with it what an earlier commit could not', async () => {
    const commits: number[] = [];
    let fail: (error: Error) => void = () => undefined;
    const it = new BatchCollector(
      { onBatch: async () => undefined, onFault: () => undefined },
      async () => undefined,
      ({ length }) => {
        commits.push(length);
        return commits.length > 1 ? Promise.resolve() : new Promise((_, failed) => (fail = failed));
      },
    );
    await it.handle(of(0, 3));
    await it.handle(of(0, 4));
    await it.handle(of(1, 5));
    expect(commits).toEqual([3]);
    fail(new Error('away'));
    await it.flush();
    expect(commits).toEqual([3, 12]);
  });

  it('has committed what was handled when a flush is over, also one that another has overtaken', async () => {
    const ends: (() => void)[] = [];
    const it = new BatchCollector(
      { onBatch: async () => undefined, onFault: () => undefined },
      async () => undefined,
      () => new Promise((done) => ends.push(done)),
    );
    await it.handle(of(0, 3));
    await it.handle(of(0, 4));
    let isOver = false;
    const flushed = it.flush().then(() => (isOver = true));
    ends[0]!();
    await new Promise(setImmediate);
    expect(ends).toHaveLength(2);
    expect(isOver).toBe(false);
    ends[1]!();
    await flushed;
  });

  it('parks what cannot be handled and commits it with the rest', async () => {
    const { it, commits, parked } = collector(async (messages) => {
      const poison = messages.find(({ offset }) => offset === 1);
      if (poison) throw new PoisonMessageError(poison, 'bad');
    });
    expect(await it.handle(of(0, 3))).toBe(true);
    expect(parked).toEqual(['evt_key-0_2']);
    expect(commits).toEqual([3]);
  });

  it('parks nothing that is not in the batch, nor takes for parked what could not be', async () => {
    const [given, faults, parked]: [number[], string[], string[]] = [[], [], []];
    const it = new BatchCollector(
      {
        onBatch: async (messages) => {
          if (given.push(messages.length) === 1) throw new PoisonMessageError(of(1, 1)[0]!, 'of another batch');
          if (messages.length > 1) throw new PoisonMessageError(messages[0]!, 'bad');
        },
        onFault: ({ message }) => faults.push(message),
      },
      async ({ poison }) => {
        if (given.length === 2) throw new Error('away');
        parked.push(poison.id);
      },
      async () => undefined,
    );
    expect(await it.handle(of(0, 2))).toBe(true);
    expect(given).toEqual([2, 2, 2, 1]);
    expect(faults).toEqual([expect.stringContaining('of another batch'), 'away']);
    expect(parked).toEqual(['evt_key-0_1']);
  });

  it('when stopped, ends what is in hand and lets go of the rest', async () => {
    let finish: () => void = () => undefined;
    let aborted = false;
    const { it, commits } = collector(
      (_, signal) =>
        new Promise((done) => {
          finish = done;
          signal.addEventListener('abort', () => (aborted = true));
        }),
      10,
    );
    const inHand = it.handle(of(0, 10));
    const waiting = it.handle(of(1, 10));
    await new Promise(setImmediate);
    it.stop({ abort: true });
    expect(await waiting).toBe(false);
    expect(aborted).toBe(true);
    finish();
    expect(await inHand).toBe(true);
    expect(commits).toEqual([10]);
    expect(await it.handle(of(2, 1))).toBe(false);
  });

  it('when stopped, gives up a batch that keeps failing', async () => {
    const { it, commits, faults } = collector(async () => {
      throw new Error('never');
    });
    const failing = it.handle(of(0, 1));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(faults).toEqual(['never']);
    it.stop({ abort: false });
    expect(await failing).toBe(false);
    expect(commits).toEqual([]);
  });
});
