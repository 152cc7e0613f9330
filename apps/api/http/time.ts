import { FIRST_INSTANT, instant, LAST_INSTANT, millis, type Instant } from '#kernel';

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
const [FIRST, LAST] = [millis(FIRST_INSTANT), millis(LAST_INSTANT)];

/** Where a leap second is counted to: they are put at the end of a month in UTC (RFC 3339, appendix D). */
const beginsMonth = (at: Date): boolean => at.getUTCDate() === 1 && at.getUTCHours() === 0 && at.getUTCMinutes() === 0;

/**
 * An RFC 3339 time, with any offset, as an Instant in UTC with milliseconds; undefined for anything else.
 * Finer digits are cut; a leap second is the second after it, as Unix time has it.
 */
export function parseTime(text: string): Instant | undefined {
  const parts = RFC3339.exec(text);
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [offsetHour, offsetMinute] = [Number(parts[9] ?? 0), Number(parts[10] ?? 0)];
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second, Number((parts[7] ?? '').padEnd(3, '0').slice(0, 3)));
  const sign = parts[8] === '-' ? 1 : -1;
  const ms = date.getTime() + sign * (offsetHour * 60 + offsetMinute) * 60_000;
  if (second === 60 && !beginsMonth(new Date(ms))) return undefined;
  return ms < FIRST || ms > LAST ? undefined : instant(ms);
}
