import {
  AccessDeniedError,
  InvalidArgumentError,
  MaxAppendSizeExceededError,
  NotLeaderError,
  StreamDeletedError,
  StreamNotFoundError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { EventStoreUnavailableError } from '../port/event-store';

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

/** Whether the same request would be refused again. Everything else passes: the connection, the leader, the load. */
export const isRefusal = (error: unknown): boolean =>
  REFUSALS.some((refusal) => error instanceof refusal) || (error as { code?: unknown }).code === INVALID_ARGUMENT;

/** The client itself turns to the leader that the node named. */
export const isNotLeader = (error: unknown): boolean => error instanceof NotLeaderError;

export function unavailable(error: unknown): EventStoreUnavailableError {
  if (error instanceof EventStoreUnavailableError) return error;
  const { message, type } = error as Error & { type?: string };
  return new EventStoreUnavailableError(`EventStoreDB does not answer: ${message || type || 'no reason given'}`, {
    cause: error,
  });
}
