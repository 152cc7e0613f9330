/** SQLSTATE of a lock that was not there in the time that was given for it. */
const LOCK_NOT_AVAILABLE = '55P03';

/** The SQLSTATE of an error that PostgreSQL has sent. Of another error its code, which is none of them; '' where it has none. */
export const sqlStateOf = (error: unknown): string => (error as { code?: string } | undefined)?.code ?? '';

/** Whether a statement gave up on a table or row that somebody uses, and did nothing. */
export const isInUse = (error: unknown): boolean => sqlStateOf(error) === LOCK_NOT_AVAILABLE;
