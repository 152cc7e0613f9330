import { EventStoreUnavailableError } from '../port/event-store';

/**
 * SQLSTATE classes and codes that pass: lost connection, a login or a database that is refused until somebody has mended that, no resources,
 * operator, rollback for order, read-only after a failover.
 */
const PASSING = /^(08|28|3D|53|57|40|58|25006|55P03|XX000)/;

/** An error of the connection has no SQLSTATE: its codes (`ECONNREFUSED`, `EPIPE`) begin with an E, and no SQLSTATE does. */
const sqlState = (error: unknown): string | undefined => {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code) ? code : undefined;
};

/** Whether the statement itself was refused, so that it would be refused again. */
export const isRefusal = (error: unknown): boolean => {
  const state = sqlState(error);
  return state !== undefined && !PASSING.test(state);
};

export function unavailable(error: unknown): EventStoreUnavailableError {
  if (error instanceof EventStoreUnavailableError) return error;
  const reason = (error as Error).message || (error as { code?: string }).code || 'no reason given';
  return new EventStoreUnavailableError(`The event log on PostgreSQL does not answer: ${reason}`, { cause: error });
}
