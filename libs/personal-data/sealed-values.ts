import { isSealed } from '#kernel';

type Members = Record<string, unknown>;

/** The sealed values of an event's or a message's data by JSON pointer; undefined when it has none. */
export function sealedIn(data: unknown, pointer = ''): Record<string, string> | undefined {
  if (isSealed(data)) return { [pointer]: data.$sealed };
  if (data === null || typeof data !== 'object') return undefined;
  let found: Record<string, string> | undefined;
  for (const [name, member] of Object.entries(data)) {
    const inner = sealedIn(member, `${pointer}/${name}`);
    if (inner) found = { ...found, ...inner };
  }
  return found;
}

/** The JSON text with its values at these pointers sealed again: the inverse of opening it. */
export function resealed(json: string, sealed: Readonly<Record<string, string>>): string {
  const data = JSON.parse(json) as Members;
  for (const [pointer, value] of Object.entries(sealed)) {
    const path = pointer.split('/').slice(1);
    const last = path.pop()!;
    const parent = path.reduce<unknown>((at, name) => (at as Members | undefined)?.[name], data) as Members | undefined;
    if (parent && Object.hasOwn(parent, last)) parent[last] = { $sealed: value };
  }
  return JSON.stringify(data);
}
