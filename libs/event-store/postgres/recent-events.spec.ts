import type { RecordedEvent } from '../port/event-store';
import { RecentEvents } from './recent-events';

const at = (...positions: number[]) => positions.map((position) => ({ position, data: {} }) as RecordedEvent);

describe('the newest events of this process', () => {
  it('are handed to whoever stands right before or among them', () => {
    const recent = new RecentEvents();
    recent.add(at(5, 7, 6), 0);
    recent.add(at(8), 0);
    expect(recent.after({ after: 4, limit: 10 })).toEqual({ events: at(5, 6, 7, 8), position: 8, isFull: false });
    expect(recent.after({ after: 6, limit: 1 })).toEqual({ events: at(7), position: 7, isFull: true });
  });

  it('say nothing to one who is further behind, or who has them all', () => {
    const recent = new RecentEvents();
    expect(recent.after({ after: 0, limit: 10 })).toBeUndefined();
    recent.add(at(5), 0);
    expect(recent.after({ after: 3, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 5, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 6, limit: 10 })).toBeUndefined();
  });

  it('begin anew behind what another process wrote', () => {
    const recent = new RecentEvents();
    recent.add(at(5, 6), 0);
    recent.add(at(8), 0);
    expect(recent.after({ after: 6, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 7, limit: 10 })).toEqual({ events: at(8), position: 8, isFull: false });
    recent.add(at(9, 11), 0);
    expect(recent.after({ after: 8, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 10, limit: 10 })).toEqual({ events: at(11), position: 11, isFull: false });
  });

  it('are bounded', () => {
    const recent = new RecentEvents();
    for (let position = 1; position <= 10_000; position++) recent.add(at(position), 0);
    expect(recent.after({ after: 1, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 9_000, limit: 1 })).toEqual({ events: at(9_001), position: 9_001, isFull: true });
  });

  it('are bounded by their size too', () => {
    const recent = new RecentEvents();
    const data = { text: 'x'.repeat(1_000_000) };
    for (let position = 1; position <= 20; position++)
      recent.add([{ position, data } as unknown as RecordedEvent], 1_000_000);
    expect(recent.after({ after: 10, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 18, limit: 10 })).toMatchObject({ events: [{ position: 19 }, { position: 20 }] });
    const huge = { position: 21, data: { text: 'x'.repeat(9_000_000) } } as unknown as RecordedEvent;
    recent.add([huge], 9_000_000);
    expect(recent.after({ after: 20, limit: 10 })).toBeUndefined();
    recent.add(at(22), 0);
    expect(recent.after({ after: 21, limit: 10 })).toEqual({ events: at(22), position: 22, isFull: false });
  });
});
