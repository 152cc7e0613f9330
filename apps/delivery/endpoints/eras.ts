import { matches } from '#webhook-contracts';

/** What an endpoint takes of the events after a log position, until the next era begins. */
export interface Era {
  /** Exclusive. */
  readonly after: number;
  readonly enabled: boolean;
  /** An event type is taken when every one of these lists of patterns matches it. */
  readonly all: readonly (readonly string[])[];
}

/** Eras kept per endpoint: an event older than all of them is treated as of the oldest. */
const KEPT = 64;

/** The era that an event at this position of the log belongs to. */
export const eraAt = (eras: readonly Era[], position: number): Era => {
  for (let at = eras.length - 1; at > 0; at--) if (eras[at]!.after < position) return eras[at]!;
  return eras[0]!;
};

/** Whether an event type is wanted in an era; its `enabled` is another question. */
export const takes = (era: Era, type: string): boolean => era.all.every((patterns) => matches(patterns, type));

/**
 * The eras after a change at log position `at` that was learned when the log's head was `head`. Up to `head` an intake may
 * have handled events by the old types, so between the two it goes on taking only what old and new have in common; what the
 * new types add there is inserted from the log by whoever applies the change.
 */
export function changeEras(
  eras: readonly Era[],
  at: number,
  head: number,
  next: { enabled: boolean; eventTypes: readonly string[] },
): Era[] {
  const upTo = Math.max(at, head);
  const before = eras.filter(({ after }, index) => index === 0 || after < at);
  const between = [
    { ...eraAt(eras, at + 1), after: at },
    ...eras.filter(({ after }) => after > at && after < upTo),
  ].map(({ after, all }): Era => ({ after, enabled: next.enabled, all: narrowed(all, next.eventTypes) }));
  const changed = [
    ...before,
    ...(upTo > at ? between : []),
    { after: upTo, enabled: next.enabled, all: [next.eventTypes] },
  ];
  return changed.slice(-KEPT);
}

const narrowed = (all: Era['all'], types: readonly string[]): Era['all'] =>
  all.some((known) => JSON.stringify(known) === JSON.stringify(types)) ? all : [...all, types];
