import {
  AccessDeniedError,
  InvalidArgumentError,
  MaxAppendSizeExceededError,
  NotLeaderError,
  StreamDeletedError,
  StreamNotFoundError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { untrusted } from '#kernel';
import { EventStoreRefusedError, EventStoreUnavailableError } from '../port/event-store';

const REFUSALS = [
  AccessDeniedError,
  InvalidArgumentError,
  MaxAppendSizeExceededError,
  StreamDeletedError,
  StreamNotFoundError,
  WrongExpectedVersionError,
];

/** What the client has no class for keeps its gRPC status. */
const INVALID_ARGUMENT = 3;

/** Whether the node finds that what was asked makes no sense. */
export const isInvalid = (error: unknown): boolean => (error as { code?: unknown }).code === INVALID_ARGUMENT;

/** Whether it does not let us in, or not any more: once somebody has mended that, it takes what it refused. */
export const isKeptOut = (error: unknown): boolean => error instanceof AccessDeniedError;

/** Whether the same request would be refused again. Everything else passes: the connection, the leader, the load. */
export const isRefusal = (error: unknown): boolean =>
  REFUSALS.some((refusal) => error instanceof refusal) || isInvalid(error);

/** The client itself turns to the leader that the node named. */
export const isNotLeader = (error: unknown): boolean => error instanceof NotLeaderError;

/** The fault as the port tells it: the log does not answer now, and may later. Its cause is kept. */
export function unavailable(error: unknown): EventStoreUnavailableError {
  if (error instanceof EventStoreUnavailableError) return error;
  const { message = '', type } = error as Partial<Error> & { type?: string };
  // gRPC begins notes that it does not write.
  const said = message.replace(/\.? *Resolution note: *$/, '');
  return new EventStoreUnavailableError(`EventStoreDB does not answer: ${said || type || 'no reason given'}`, {
    cause: error,
  });
}

/** Why the node will not have us, when asking again cannot help; undefined for faults that pass. */
export function refused(error: unknown): EventStoreRefusedError | undefined {
  for (let cause = error as Partial<Error> | undefined; cause; cause = cause.cause as Partial<Error> | undefined) {
    if (cause instanceof AccessDeniedError)
      return new EventStoreRefusedError(
        'EventStoreDB refuses: user and password of EVENT_STORE_URL are wrong, or may not read $all and write',
        { cause: error },
      );
    const distrust = untrusted(cause.message ?? '');
    if (distrust)
      return new EventStoreRefusedError(
        `EventStoreDB refuses: its certificate does not verify (${distrust}); tlsCAFile in EVENT_STORE_URL names the authority to trust`,
        { cause: error },
      );
  }
  return undefined;
}
