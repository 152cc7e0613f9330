import { createHash, randomBytes } from 'node:crypto';

/** Every prefix of a public id. */
export const ID_PREFIXES = [
  'pst',
  'dst',
  'cmp',
  'acct',
  'prof',
  'med',
  'op',
  'dsg',
  'ast',
  'gal',
  'cnt',
  'inv',
  'usr',
  'ws',
  'whe',
  'dlv',
  'evt',
  'key',
  'job',
] as const;
export type IdPrefix = (typeof ID_PREFIXES)[number];

/** API.md: the right prefix, then 1–64 of `A-Za-z0-9_-`. */
export const idPattern = (prefix: string): RegExp => new RegExp(`^${prefix}_[A-Za-z0-9_-]{1,64}$`);

const format = (bytes: Uint8Array): string => {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
};

const stamp = (bytes: Buffer, version: number): Buffer => {
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
};

let pool = Buffer.alloc(0);
let used = 0;
const randomTen = (): Buffer => {
  if (used + 10 > pool.length) [pool, used] = [randomBytes(10 * 256), 0];
  return pool.subarray(used, (used += 10));
};

/** UUIDv7 (RFC 9562): 48 bits of milliseconds, then `tail` (10 bytes; random unless given, so that an id can be derived). */
export function uuidv7(ms: number = Date.now(), tail: Uint8Array = randomTen()): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(ms, 0, 6);
  bytes.set(tail.subarray(0, 10), 6);
  return format(stamp(bytes, 7));
}

/** UUIDv8 (RFC 9562, custom) of a SHA-256: the same name in the same scope is the same id, for ever. */
export function derivedUuid(scope: string, name: string | number): string {
  return format(stamp(createHash('sha256').update(`${scope}\n${name}`).digest(), 8));
}

/** The id of the `index`-th event of a command: a retried append carries the same ids (DESIGN §3). */
export const eventIdOf = (commandId: string, index: number): string => derivedUuid(commandId, index);

/** The public form of an event's UUID. */
export const publicEventId = (uuid: string): string => `evt_${uuid}`;

/** A new public id, ordered by time. */
export const newId = (prefix: IdPrefix, ms?: number): string => `${prefix}_${uuidv7(ms)}`;

/** An id that the same command always chooses again: time from the command, the rest from a hash of its id. */
export const derivedId = (prefix: IdPrefix, commandId: string, name: string | number, ms: number): string =>
  `${prefix}_${uuidv7(ms, createHash('sha256').update(`${commandId}\n${prefix}\n${name}`).digest())}`;
