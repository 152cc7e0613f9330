import { fnv1a } from './fnv1a';

/** Many values by key, immutable: a change copies one bucket of 256, so that folding a long stream stays cheap. Plain data, which can be kept. */
export type Entries<T> = readonly Readonly<Record<string, T>>[];

const BUCKETS = 256;

export const noEntries: Entries<never> = Array.from({ length: BUCKETS }, () => ({}));

export function entry<T>(entries: Entries<T>, key: string): T | undefined {
  const bucket = entries[bucketOf(key)]!;
  return Object.hasOwn(bucket, key) ? bucket[key] : undefined;
}

/** The same entries with another value at `key`, or (undefined) with none. */
export function withEntry<T>(entries: Entries<T>, key: string, value: T | undefined): Entries<T> {
  const number = bucketOf(key);
  const { [key]: _, ...others } = entries[number]!;
  return entries.with(number, value === undefined ? others : { ...others, [key]: value });
}

/** In no order that means anything. */
export const allEntries = <T>(entries: Entries<T>): [key: string, value: T][] => entries.flatMap(Object.entries<T>);

const bucketOf = (key: string): number => fnv1a(key) % BUCKETS;
