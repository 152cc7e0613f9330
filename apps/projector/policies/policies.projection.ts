import type { RecordedEvent } from '#event-store';
import type { Instant } from '#kernel';
import { eventSchemas, upcast, type DomainEvent } from '#public-messages';
import type { Projection } from '../projections/projection';
import { timerKey, timerWrites, type TimerChange } from '../timers/timer-table';
import { accountsPolicy } from './accounts.policy';
import { campaignsPolicy } from './campaigns.policy';
import type { Policy, Step, When } from './policy';
import { postsPolicy } from './posts.policy';

const policies: readonly Policy[] = [postsPolicy, accountsPolicy, campaignsPolicy];
const reactTo = new Set(policies.flatMap((policy) => Object.keys(policy)));
/** An event that this build does not know is none of them: a newer one may owe something for it. */
const passOver = new Set(Object.keys(eventSchemas).filter((type) => !reactTo.has(type)));

/** What an event leads to: timers set and cleared. */
export function stepsOf(event: RecordedEvent): readonly Step[] {
  const when: When = { at: event.metadata.occurredAt as Instant, eventId: event.id };
  return policies.flatMap((policy) => {
    const react = policy[event.type as DomainEvent['type']] as
      ((data: object, when: When) => readonly Step[]) | undefined;
    return react ? react(event.data, when) : [];
  });
}

/** A burst of commands reaches the timers in a few statements; alone, a command reaches them at once. */
const PACE_MS = 10;

/**
 * Turns events into timers, in the transaction of the checkpoint: nothing that is owed is lost. Never done again. `wakeTimers` hears
 * when the first of those that were set is due.
 */
export const policiesProjection = (wakeTimers: (due: Instant) => void): Projection => ({
  name: 'policies',
  shape: 'policies',
  paceMs: PACE_MS,
  urgent: true,
  wants: ({ type }) => !passOver.has(type),
  build: () => ({
    prepare: async () => undefined,
    async changes(_, { events }) {
      const changes = events.map(upcast).flatMap((event) => stepsOf(event).map((step) => changeOf(event, step)));
      const due = changes.flatMap(({ timer }) => (timer ? [timer.dueAt] : []));
      const writes = timerWrites(changes);
      if (due.length === 0) return { writes };
      const first = due.reduce((least, each) => (each < least ? each : least));
      return { writes, done: () => wakeTimers(first) };
    },
  }),
});

function changeOf({ id, position, metadata }: RecordedEvent, step: Step): TimerChange {
  const { workspace, correlationId, traceparent = null } = metadata;
  if ('clear' in step) return { key: timerKey(step.clear.kind, workspace, step.clear.name), timer: null };
  const { kind, name, target, dueAt, payload } = step.set;
  const key = timerKey(kind, workspace, name);
  return {
    key,
    timer: { key, kind, workspace, target, dueAt, payload, cause: id, position, correlationId, traceparent },
  };
}
