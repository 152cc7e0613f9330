import type { DataOf, Instant } from '#kernel';
import type { DomainEvent } from '#public-messages';
import type { TimerKind } from '../timers/owed-commands';

/** When an event happened, and its id. */
export interface When {
  readonly at: Instant;
  readonly eventId: string;
}

/** A command that is owed at a time; its kind says which. */
export interface Timer {
  readonly kind: TimerKind;
  /** Names the timer within its kind and workspace: the same name again replaces what was there. */
  readonly name: string;
  /** The thing it acts on; commands to one thing keep the order of the events that led to them. */
  readonly target: string;
  readonly dueAt: Instant;
  readonly payload: object;
}

/** What an event leads to. */
export type Step = { readonly set: Timer } | { readonly clear: { readonly kind: TimerKind; readonly name: string } };

/** Pure: events in, timers out. A command that is owed at once is a timer that is due now, so that it is as durable. */
export type Policy = {
  readonly [T in DomainEvent['type']]?: (data: DataOf<DomainEvent, T>, when: When) => readonly Step[];
};
