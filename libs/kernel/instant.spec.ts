import { DAY, FIRST_INSTANT, instant, LAST_INSTANT, MINUTE, plus } from './instant';

describe('plus', () => {
  it('moves a moment forth and back', () => {
    const at = instant('2026-04-22T14:00:00Z');
    expect(plus(at, MINUTE)).toBe('2026-04-22T14:01:00.000Z');
    expect(plus(at, -3 * DAY)).toBe('2026-04-19T14:00:00.000Z');
  });

  it('ends where a database and a sortable text do', () => {
    expect(plus(instant('0001-01-03T23:59:59.999Z'), -3 * DAY)).toBe(FIRST_INSTANT);
    expect(plus(FIRST_INSTANT, -1)).toBe(FIRST_INSTANT);
    expect(plus(instant('9999-12-31T00:00:00Z'), 3 * DAY)).toBe(LAST_INSTANT);
  });
});
