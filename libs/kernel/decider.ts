import type { Instant } from './instant';
import type { DataOf, Message } from './message';

/** What every command carries beside its own fields: when, and who. */
export interface CommandBase<Type extends string = string> {
  readonly type: Type;
  readonly at: Instant;
  /** `usr_…` when a service acts for a person, else the key's id, else `system`. */
  readonly actor: string;
}

export type Command<Type extends string, Fields extends object = object> = CommandBase<Type> & Readonly<Fields>;

/**
 * An aggregate as plain functions. `decide` turns a command and the present state into events (none when there is
 * nothing to change) or throws a DomainError; `evolve` folds one event. Neither awaits, reads a clock or draws chance.
 */
export interface Decider<C extends CommandBase, E extends Message, S> {
  readonly initial: S;
  /** From 1. Raise it when `evolve` leads to another state by a change that its own text does not show, as in a function it calls: kept states of the version before are then not used. */
  readonly stateVersion?: number;
  readonly decide: { readonly [T in C['type']]: (command: Extract<C, { type: T }>, state: S) => readonly E[] };
  readonly evolve: { readonly [T in E['type']]: (state: S, data: DataOf<E, T>) => S };
}

/** Identity with inference: write a decider once, with every command and event checked by the compiler. */
export const decider = <C extends CommandBase, E extends Message, S>(it: Decider<C, E, S>): Decider<C, E, S> => it;

/** Folds events, oldest first. */
export function fold<C extends CommandBase, E extends Message, S>(
  it: Decider<C, E, S>,
  events: readonly E[],
  from: S = it.initial,
): S {
  let state = from;
  for (const event of events) state = apply(it, state, event);
  return state;
}

/** Folds one event. An unknown type is a defect, never skipped. */
export function apply<C extends CommandBase, E extends Message, S>(it: Decider<C, E, S>, state: S, event: E): S {
  const evolve = it.evolve[event.type as E['type']] as ((state: S, data: object) => S) | undefined;
  if (!evolve) throw new Error(`No evolve for event ${event.type}`);
  return evolve(state, event.data);
}

/** Runs one command against a state. */
export function decide<C extends CommandBase, E extends Message, S>(
  it: Decider<C, E, S>,
  command: C,
  state: S,
): readonly E[] {
  return (it.decide[command.type as C['type']] as (command: C, state: S) => readonly E[])(command, state);
}
