/**
 * JSON with one spelling only (RFC 8785): no spaces, members sorted by their names' UTF-16 units, numbers and strings as
 * ECMAScript writes them. Members without a value are left out, as JSON has none. Every entry of the audit chain pays for it, so
 * it makes no list of members on the way.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  let text = '';
  if (Array.isArray(value)) {
    for (const element of value) text += text === '' ? canonicalJson(element) : `,${canonicalJson(element)}`;
    return `[${text}]`;
  }
  for (const name of sortedNames(value)) {
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (member === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(member)}`;
  }
  return `{${text}}`;
}

function sortedNames(value: object): string[] {
  const names = Object.keys(value);
  return names.some((name, at) => at > 0 && names[at - 1]! > name) ? names.sort() : names;
}
