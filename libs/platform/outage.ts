import { EventStoreUnavailableError } from '#event-store';
import { isOutage as isDatabaseOutage } from '#postgres';

/** Whether an error says that an engine is away for now, rather than that this event cannot be taken. */
export const isOutage = (error: unknown): boolean =>
  error instanceof EventStoreUnavailableError || isDatabaseOutage(error);
