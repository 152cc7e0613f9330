/** Characters of what is read at once, about: some copies of it are in memory while it is handled. */
export const PAGE_SIZE = 8_000_000;

/**
 * Characters that a plain value takes as JSON, about; of bytes their number. What is bounded by size goes by it: it costs a fraction of
 * writing the value down.
 */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  let size = 2;
  if (Array.isArray(value)) for (const one of value as unknown[]) size += 1 + sizeOf(one);
  else if (value instanceof Map || value instanceof Set) for (const one of value) size += 1 + sizeOf(one);
  else for (const name in value) size += name.length + 4 + sizeOf((value as Record<string, unknown>)[name]);
  return size;
}

interface Most {
  readonly count: number;
  readonly size: number;
}

/** The first of a list: at most `count`, and none behind those that have `size` together. */
export function first<T>(list: readonly T[], { count, size }: Most, sizeIn: (one: T) => number): T[] {
  let upTo = 0;
  for (let passed = 0; upTo < list.length && upTo < count && passed < size; upTo++) passed += sizeIn(list[upTo]!);
  return list.slice(0, upTo);
}

/** The last of a list: at most `count`, and no more than have `size` together. */
export function newest<T>(list: readonly T[], { count, size }: Most, sizeIn: (one: T) => number): T[] {
  let from = list.length;
  for (let left = size; from > 0 && list.length - from < count; from--)
    if ((left -= sizeIn(list[from - 1]!)) < 0) break;
  return list.slice(from);
}
