import { untrusted } from '#kernel';

/**
 * SQLSTATEs of what passes: connections, a login or a database that is refused (in a process that was let in before, until somebody has mended
 * that), resources, an operator's intervention, a serialization conflict, a database that may only be read for now, a transaction that the
 * server ended because its process had frozen.
 */
const PASSING = /^((08|28|3D|40|53|55|57)...|25006|25P0[34])$/;
const SOCKET = /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/;
const LOST =
  /connection (terminated|ended|error)|timeout exceeded when trying to connect|not queryable|after calling end|does not support SSL/i;

/** Whether an error says that PostgreSQL is away for now, rather than that it refuses what it was asked. */
export function isOutage(error: unknown): boolean {
  const { code = '', message = '', syscall } = (error ?? {}) as NodeJS.ErrnoException;
  const noSocketFile = code === 'ENOENT' && syscall === 'connect';
  return PASSING.test(code) || SOCKET.test(code) || noSocketFile || LOST.test(message) || !!untrusted(message);
}
