import type { BusMessage } from '../port/bus';
import { RecentMessages } from './recent-messages';

const LIFE = '0b8e1c2e-0000-4000-8000-000000000001';
const message = (id: number, value = '{}'): BusMessage => ({
  id: `evt_${id}`,
  type: 't',
  topic: 'topic',
  key: `pst_${id}`,
  headers: {},
  value,
});
const published = (last: number, count: number, incarnation = LIFE, value?: string) => ({
  messages: Array.from({ length: count }, (_, n) => message(last - count + 1 + n, value)),
  last,
  incarnation,
});
const offsets = (recent: RecentMessages, after: number) => recent.after(after).map(({ offset }) => offset);

describe('the messages that a process has just published', () => {
  it('are handed over from where a reader stands', () => {
    const recent = new RecentMessages();
    recent.add(published(12, 3));
    recent.add(published(13, 1));
    expect(recent.covers(9, LIFE)).toBe(true);
    expect(offsets(recent, 11)).toEqual([12, 13]);
    expect(offsets(recent, 13)).toEqual([]);
    expect(recent.newest).toBe(13);
  });

  it('are not all there is for a reader who stands before them', () => {
    const recent = new RecentMessages();
    recent.add(published(12, 3));
    expect(recent.covers(8, LIFE)).toBe(false);
    expect(new RecentMessages().covers(0, LIFE)).toBe(false);
  });

  it('are forgotten when others published in between', () => {
    const recent = new RecentMessages();
    recent.add(published(3, 3));
    recent.add(published(9, 2));
    expect(recent.covers(3, LIFE)).toBe(false);
    expect(offsets(recent, 7)).toEqual([8, 9]);
  });

  it('belong to one life of the server', () => {
    const recent = new RecentMessages();
    recent.add(published(3, 3));
    expect(recent.covers(1, 'another')).toBe(false);
    recent.add(published(4, 1, 'another'));
    expect(recent.covers(1, 'another')).toBe(false);
    expect(recent.covers(3, 'another')).toBe(true);
    recent.add(published(5, 1, ''));
    expect(recent.covers(4, 'another')).toBe(false);
  });

  it('are bounded in number and size', () => {
    const recent = new RecentMessages();
    recent.add(published(20_000, 20_000));
    expect(recent.covers(0, LIFE)).toBe(false);
    expect(recent.covers(16_000, LIFE)).toBe(true);
    recent.add(published(20_100, 100, LIFE, 'x'.repeat(200_000)));
    expect(recent.covers(20_000, LIFE)).toBe(false);
    expect(recent.newest).toBe(20_100);
  });
});
