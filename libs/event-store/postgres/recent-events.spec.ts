import type { RecordedEvent } from '../port/event-store';
import { RecentEvents } from './recent-events';

const at = (...positions: number[]) => positions.map((position) => ({ position }) as RecordedEvent);

describe('the newest events of this process', () => {
  it('are handed to whoever stands right before or among them', () => {
    const recent = new RecentEvents();
    recent.add(at(5, 7, 6));
    recent.add(at(8));
    expect(recent.after({ after: 4, limit: 10 })).toEqual({ events: at(5, 6, 7, 8), position: 8 });
    expect(recent.after({ after: 6, limit: 1 })).toEqual({ events: at(7), position: 7 });
  });

  it('say nothing to one who is further behind, or who has them all', () => {
    const recent = new RecentEvents();
    expect(recent.after({ after: 0, limit: 10 })).toBeUndefined();
    recent.add(at(5));
    expect(recent.after({ after: 3, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 5, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 6, limit: 10 })).toBeUndefined();
  });

  it('begin anew behind what another process wrote', () => {
    const recent = new RecentEvents();
    recent.add(at(5, 6));
    recent.add(at(8));
    expect(recent.after({ after: 6, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 7, limit: 10 })).toEqual({ events: at(8), position: 8 });
    recent.add(at(9, 11));
    expect(recent.after({ after: 8, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 10, limit: 10 })).toEqual({ events: at(11), position: 11 });
  });

  it('are bounded', () => {
    const recent = new RecentEvents();
    for (let position = 1; position <= 10_000; position++) recent.add(at(position));
    expect(recent.after({ after: 1, limit: 10 })).toBeUndefined();
    expect(recent.after({ after: 9_000, limit: 1 })).toEqual({ events: at(9_001), position: 9_001 });
  });
});
