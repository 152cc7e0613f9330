import { randomUUID } from 'node:crypto';

/** One column of a batch as an array literal, for values that need no quotes in it: numbers, booleans, UUIDs, instants. */
export const plainArray = (values: readonly (string | number | boolean | null)[]): string =>
  `{${values.map((value) => value ?? 'NULL').join(',')}}`;

/** The same, or null when it says nothing: `unnest` beside other columns then gives nulls. */
export const plainArrayOrNull = (values: readonly (string | number | boolean | null)[]): string | null =>
  values.every((value) => value === null) ? null : plainArray(values);

/** An array parameter, or null when it says nothing. */
export const arrayOrNull = <T>(values: readonly (T | null)[]): readonly (T | null)[] | null =>
  values.every((value) => value === null) ? null : values;

/**
 * Text columns of a batch as one text each, for `string_to_array($n, $separator)`: the literal of an array of JSON is full of
 * escapes, written here and read on the server. None of the texts may be empty.
 */
export function joinedTexts(...columns: readonly (readonly string[])[]): { texts: string[]; separator: string } {
  const separator = columns.some((texts) => texts.some((text) => text.includes('\n'))) ? randomUUID() : '\n';
  return { texts: columns.map((texts) => texts.join(separator)), separator };
}
