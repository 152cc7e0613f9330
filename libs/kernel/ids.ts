import { hash, randomBytes } from 'node:crypto';

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

/** The text of a UUID out of 32 hex digits, with its version and variant stamped over them. */
const format = (hex: string, version: number): string =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${version}${hex.slice(13, 16)}-${VARIANT[parseInt(hex[16]!, 16) & 3]}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;

const VARIANT = '89ab';
const TAIL = 20;

let pool = '';
let used = 0;
/** Random bytes come many at a time: asking for ten costs as much as asking for thousands. */
const randomTail = (): string => {
  if (used + TAIL > pool.length) [pool, used] = [randomBytes(TAIL * 128).toString('hex'), 0];
  return pool.slice(used, (used += TAIL));
};

/** UUIDv7 (RFC 9562): 48 bits of milliseconds, then `tail` (20 hex digits; random unless given, so that an id can be derived). */
export const uuidv7 = (ms: number = Date.now(), tail: string = randomTail()): string =>
  format(ms.toString(16).padStart(12, '0') + tail, 7);

/**
 * UUIDv7s that sort in the order in which they were asked for, also within a millisecond: the twelve bits after the version
 * count (RFC 9562, 6.2). When they are used up, the next millisecond is borrowed. A clock set back by over a second is followed.
 */
export const ascendingUuids = (): ((ms: number) => string) => {
  let last = -Infinity;
  let count = 0;
  return (ms) => {
    if (ms > last || ms < last - 1_000) [last, count] = [ms, 0];
    else if (++count > 0xfff) [last, count] = [last + 1, 0];
    return uuidv7(last, `0${count.toString(16).padStart(3, '0')}${randomTail().slice(4)}`);
  };
};

/** The milliseconds in a UUIDv7. */
export const millisIn = (uuid: string): number => parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);

/** Out of a SHA-256: the same name in the same scope is the same id, for ever. A UUIDv7 of the time `ms`; without one a UUIDv8 (RFC 9562, custom). */
export const derivedUuid = (scope: string, name: string | number, ms?: number): string => {
  const digest = hash('sha256', `${scope}\n${name}`);
  return ms === undefined ? format(digest, 8) : uuidv7(ms, digest);
};

/** The milliseconds in an id, bare or public; undefined for one that is no UUIDv7. */
const timeIn = (id: string): number | undefined => {
  const uuid = id.slice(-36);
  return uuid[14] === '7' && isUuid(uuid) ? millisIn(uuid) : undefined;
};

/** The id of what follows from the thing with the id `parent`, whose time it has: the same name of the same parent is the same id, for ever. */
export const followingUuid = (parent: string, name: string | number): string =>
  derivedUuid(parent, name, timeIn(parent));

/** The id of the `index`-th event of a command: a retried append carries the same ids (DESIGN §3). */
export const eventIdOf = (commandId: string, index: number): string => followingUuid(commandId, index);

/** The public form of an event's UUID. */
export const publicEventId = (uuid: string): string => `evt_${uuid}`;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a text is a UUID as they are written here: in lower case, with dashes. */
export const isUuid = (text: string): boolean => UUID.test(text);

/** The UUID in a public id that was made here; undefined for one of another prefix, and for one that a client chose. */
export function uuidIn(prefix: IdPrefix, id: string): string | undefined {
  const uuid = id.slice(prefix.length + 1);
  return id.startsWith(`${prefix}_`) && isUuid(uuid) ? uuid : undefined;
}

/** A new public id, ordered by time. */
export const newId = (prefix: IdPrefix, ms?: number): string => `${prefix}_${uuidv7(ms)}`;

/** An id that the same command always chooses again: time from the command, the rest from a hash of its id. */
export const derivedId = (prefix: IdPrefix, commandId: string, name: string | number, ms: number): string =>
  `${prefix}_${derivedUuid(`${commandId}\n${prefix}`, name, ms)}`;
