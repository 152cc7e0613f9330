import type { EndpointChange } from './endpoint-change';

/** A stretch of the log, and what an endpoint asked for in it. */
export interface Stretch {
  /** Exclusive. */
  readonly after: number;
  /** Inclusive. */
  readonly upTo: number;
  readonly eventTypes: readonly string[];
}

/** Of what nothing in the log follows. */
const OPEN = Number.MAX_SAFE_INTEGER;

const isEnabled = ({ kind, config }: EndpointChange): boolean => kind !== 'deleted' && config.status === 'enabled';

const flowOf = (change: EndpointChange): string =>
  JSON.stringify([change.kind === 'deleted', isEnabled(change), change.config.eventTypes]);

/**
 * The last position of the log that an endpoint's types and status count for as a change left them, `later` being the changes that follow it
 * there. Delivery may hear of those a while after: what happens then is theirs, and nothing of it may be given out by this one.
 */
export const countsUpTo = (change: EndpointChange, later: readonly EndpointChange[]): number =>
  later.find((one) => flowOf(one) !== flowOf(change))?.position ?? OPEN;

/** What an endpoint asked for from an enabling on, until it was closed again: a stretch for each change of its types. */
export function askedSince(enabling: EndpointChange, later: readonly EndpointChange[]): Stretch[] {
  const closing = later.findIndex((change) => !isEnabled(change));
  const open = closing < 0 ? later : later.slice(0, closing);
  const ends = [...later.slice(0, open.length + 1).map(({ position }) => position), OPEN];
  return [enabling, ...open].map(({ position, config }, at) => ({
    after: position,
    upTo: ends[at]!,
    eventTypes: config.eventTypes,
  }));
}
