import type { TSchema } from '@sinclair/typebox';

/** Keys whose values are maps: the map's own keys are data and stay as they are (CONTRACTS §1). */
const MAPS = new Set(['platformResults']);

const known = new Map<string, string>();

/** `scheduledAt` → `scheduled_at`. */
export function snake(key: string): string {
  let found = known.get(key);
  if (found === undefined) {
    found = key.replace(/[A-Z]/g, (upper) => `_${upper.toLowerCase()}`);
    // Keys come from our own schemas; the bound is for the day that one does not.
    if (known.size < 1000) known.set(key, found);
  }
  return found;
}

/** The same JSON with snake_case keys, in the same order. */
export function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = {};
  // `for in`, for this is the hot path of a contract and what JSON.parse makes has no inherited keys.
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    result[snake(key)] =
      typeof inner !== 'object' || inner === null ? inner : MAPS.has(key) ? snakeValues(inner) : snakeKeys(inner);
  }
  return result;
}

const snakeValues = (map: unknown): unknown =>
  Object.fromEntries(Object.entries(map as object).map(([key, inner]) => [key, snakeKeys(inner)]));

/** The JSON Schema of what `snakeKeys` makes of a value that matches `schema`. */
export function snakeSchema(schema: TSchema): TSchema {
  const { properties, required, items, anyOf, patternProperties, ...rest } = schema as TSchema &
    Record<string, unknown>;
  return {
    ...rest,
    ...(Array.isArray(required) && { required: required.map((key) => snake(String(key))) }),
    ...(properties !== undefined && {
      properties: mapValues(properties as Record<string, TSchema>, snakeSchema, snake),
    }),
    ...(patternProperties !== undefined && {
      patternProperties: mapValues(patternProperties as Record<string, TSchema>, snakeSchema),
    }),
    ...(items !== undefined && { items: snakeSchema(items as TSchema) }),
    ...(Array.isArray(anyOf) && { anyOf: anyOf.map((each) => snakeSchema(each as TSchema)) }),
  } as unknown as TSchema;
}

const mapValues = (of: Record<string, TSchema>, map: (value: TSchema) => TSchema, rename = (key: string) => key) =>
  Object.fromEntries(Object.entries(of).map(([key, value]) => [rename(key), map(value)]));
