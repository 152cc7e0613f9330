import { isUtf8 } from 'node:buffer';
import { invalid, type InputError } from './problem';

/** Text that PostgreSQL or UTF-8 cannot hold: NUL, and a half of a surrogate pair without its other half. */
export const UNSTORABLE = /\0|\p{Surrogate}/u;

/** Levels that lists and objects may nest: what walks a body calls itself for each of them. */
const MAX_DEPTH = 100;

/**
 * Parses a JSON body. Throws Problem VALIDATION_FAILED for bytes that are not UTF-8, for malformed or too deep JSON, and for
 * text that cannot be stored. An empty body is undefined.
 */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (!isUtf8(bytes)) throw invalid({ pointer: '', message: 'the body is not UTF-8' });
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid({
      pointer: '',
      message: `the body is not JSON: ${(error as SyntaxError).message.replaceAll('\0', '')}`,
    });
  }
  if (isTooDeep(bytes)) throw invalid({ pointer: '', message: `must not nest deeper than ${MAX_DEPTH} levels` });
  // Only an escape can bring in what valid UTF-8 JSON cannot hold, so most bodies are not walked.
  if (text.includes('\\u')) refuseUnstorable(value, '');
  return value;
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Of well-formed JSON, where a backslash is in text alone and escapes the byte after it. */
function isTooDeep(json: Buffer): boolean {
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) isInText = !isInText;
    else if (byte === BACKSLASH) at++;
    else if (isInText) continue;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth++;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

function refuseUnstorable(value: unknown, pointer: string): void {
  if (typeof value === 'string') {
    if (UNSTORABLE.test(value))
      throw invalid({ pointer, message: 'holds a character that cannot be stored (NUL or half a surrogate pair)' });
  } else if (value !== null && typeof value === 'object') {
    for (const [key, each] of Object.entries(value)) {
      if (UNSTORABLE.test(key)) throw invalid({ pointer, message: 'has a field name that cannot be stored' });
      refuseUnstorable(each, `${pointer}/${escapePointer(key)}`);
    }
  }
}

/** What is said of a field or parameter that nobody asked for, at the top or below `at`. */
export const unknownName = (name: string, at = ''): InputError => ({
  pointer: `${at}/${escapePointer(name)}`,
  message: 'is not known here',
});

/** A key as one part of a JSON pointer (RFC 6901). */
export const escapePointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1');
