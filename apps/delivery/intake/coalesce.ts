import type { Endpoint } from '../endpoints/endpoint';

/** Types that say how something stands, so that a newer one makes an older one worthless. Everything else says what happened. */
const STATE_LIKE = /(?:[._]progressed|[._]updated|\.rescheduled|\.compliant|\.violated)$/;

/** Whether a newer delivery of this type makes an older one of the same entity worthless. */
export const isStateLike = (type: string): boolean => STATE_LIKE.test(type);

/** Entity and type of which a `latestOnly` endpoint wants the newest alone; null where nothing is ever left out. */
export const coalesceKey = ({ row }: Endpoint, type: string, key: string): string | null =>
  row.config.latestOnly && isStateLike(type) ? `${key}\n${type}` : null;
