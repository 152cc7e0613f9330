import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Registry } from 'prom-client';
import { eventually } from '#testing';
import { LiveStream } from './live-stream';

const READERS = 5;

/** A stream whose log is quiet, with readers that have a key each. */
function quietStream(find: (key: string) => Promise<unknown>) {
  let keysChanged = (): void => undefined;
  const engines = {
    store: {
      head: () => Promise.resolve(0),
      readAll: () => Promise.resolve({ events: [], position: 0 }),
      follow: async function* ({ signal }: { signal: AbortSignal }) {
        yield { events: [], position: 0 };
        await new Promise((over) => signal.addEventListener('abort', over));
      },
    },
    wake: {
      on: (_: string, hear: () => void) => {
        keysChanged = hear;
        return () => undefined;
      },
    },
    log: { warn: () => undefined, error: () => undefined },
    metrics: new Registry(),
  };
  const live = new LiveStream(engines as never, { cached: () => undefined, find } as never, { note: () => undefined });
  const ended: string[] = [];
  for (let n = 0; n < READERS; n++) {
    const response = Object.assign(new EventEmitter(), {
      write: () => true,
      end: () => ended.push(`key_${n}`),
      destroy: () => undefined,
      writableLength: 0,
      writableNeedDrain: false,
    });
    live.add({ workspace: 'ws_1', after: 0, key: `key_${n}`, response: response as unknown as ServerResponse });
  }
  return { live, ended, keysChanged: () => keysChanged() };
}

describe('the keys of open streams', () => {
  it('are asked for once more, however often keys changed while they were', async () => {
    const asked: string[] = [];
    const ends = new Set<string>();
    let goOn: (() => void) | undefined;
    const { live, ended, keysChanged } = quietStream(async (key) => {
      asked.push(key);
      const isOver = ends.has(key);
      if (asked.length === 1) await new Promise<void>((go) => (goOn = go));
      return isOver ? null : {};
    });
    for (let n = 0; n < 100; n++) keysChanged();
    await eventually(() => expect(goOn).toBeDefined());
    // Ended when the check that is under way has passed it.
    ends.add('key_0');
    goOn!();
    await eventually(() => expect(ended).toEqual(['key_0']));
    await eventually(() => expect(asked.length).toBe(2 * READERS));
    await new Promise(setImmediate);
    expect(asked).toHaveLength(2 * READERS);
    live.close();
  });
});
