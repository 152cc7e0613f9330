import { event } from '#event-store/conformance/support';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { instant, MINUTE } from '#kernel';
import { isAhead, startPosition } from './start-position';

const NOON = Date.parse('2026-05-01T12:00:00.000Z');
const at = (minute: number) => instant(NOON + minute * MINUTE);

describe('where an endpoint begins that asks for a time', () => {
  /** Events of these minutes, in the order of the log. */
  const logOf = async (...minutes: number[]) => {
    const store = new MemoryEventStore();
    for (const [n, minute] of minutes.entries()) {
      const counted = event(`${n}`);
      const metadata = { ...counted.metadata, occurredAt: at(minute) };
      await store.append(`thing-ws_1:${n}`, [{ ...counted, metadata }], -1);
    }
    return store;
  };

  it('is before the first event of that time or later', async () => {
    const minutes = Array.from({ length: 300 }, (_, n) => n);
    const store = await logOf(...minutes);
    for (const minute of [-1, 0, 1, 150, 299])
      expect(await startPosition(store, 'ws_1', at(minute), 300)).toBe(Math.max(0, minute));
    expect(await startPosition(store, 'ws_1', at(300), 300)).toBe(300);
  });

  it('leaves out no event of a clock that was fast, whatever the clocks say of those behind it', async () => {
    const late = Array.from({ length: 50 }, (_, n) => n + 1);
    const store = await logOf(0, 55, ...late, 60);
    expect(await startPosition(store, 'ws_1', at(54), 53)).toBe(1);
  });
});

it.each([
  ['evt_1', [false, true, true]],
  ['evt_1/evt_2', [false, false, true]],
])('an endpoint that begins after %s is given what follows it in its event', (startFrom, expected) => {
  const ahead = isAhead(startFrom);
  expect(['evt_1', 'evt_2', 'evt_3'].map((id) => ahead('1', id))).toEqual(expected);
  expect(ahead('4', 'evt_4')).toBe(true);
});
