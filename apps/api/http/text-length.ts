/**
 * Whether a text has `min`–`max` characters, counted in code points. Of a text without halves of surrogate pairs: others are
 * refused before.
 */
export function hasLength(text: unknown, min: number, max: number): boolean {
  if (typeof text !== 'string') return false;
  const units = text.length;
  // A code point is one unit or two, so that this alone decides of most texts.
  if (units < min || units > 2 * max) return false;
  if (units >= 2 * min - 1 && units <= max) return true;
  let points = units;
  for (let at = 0; at < units; at++) if (isFirstOfPair(text.charCodeAt(at))) points--;
  return points >= min && points <= max;
}

const isFirstOfPair = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
