import { EventStoreUnavailableError } from '#event-store';
import { isOutage } from '#postgres';

/** Whether an error says that an engine is away for now, rather than that it refuses what it was asked. */
export const isEngineOutage = (error: unknown): boolean =>
  error instanceof EventStoreUnavailableError || isOutage(error);
