import { Recent } from '#kernel';

/**
 * JSON with one spelling only (RFC 8785): no spaces, members sorted by their names' UTF-16 units, numbers and strings as
 * ECMAScript writes them. Members without a value are left out, as JSON has none. Every entry of the audit chain pays for it, so
 * it makes no list of members on the way.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  let text = '';
  if (Array.isArray(value)) {
    for (const element of value) text += text === '' ? canonicalJson(element) : `,${canonicalJson(element)}`;
    return `[${text}]`;
  }
  for (const name of sortedNames(value)) {
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (member === undefined) continue;
    text += `${text === '' ? '' : ','}${quotedName(name)}:${canonicalJson(member)}`;
  }
  return `{${text}}`;
}

/** Text that JSON writes as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** A text as JSON. */
export const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

/** The names of members come again with every event of a type. */
const names = new Recent<string, string>(2_000);

function quotedName(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  const text = quoted(name);
  names.set(name, text);
  return text;
}

function sortedNames(value: object): string[] {
  const all = Object.keys(value);
  return all.some((name, at) => at > 0 && all[at - 1]! > name) ? all.sort() : all;
}
