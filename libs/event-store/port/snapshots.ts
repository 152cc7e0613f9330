import { hash } from 'node:crypto';
import type { Aggregate, CommandBase, Message } from '#kernel';
import type { Position, Revision, StreamName } from './event-store';

/** The state of a stream as it was at `revision`. It can be thrown away at any time: the log has it all. */
export interface Snapshot<S = unknown> {
  readonly state: S;
  readonly revision: Revision;
  /** Of the event at `revision`: proves, when the log is read on from there, that it is of that log. */
  readonly position: Position;
}

/** Where snapshots are kept. Neither method ever fails a command: what cannot be read is not there, what cannot be written is lost. */
export interface Snapshots {
  /** The stream's snapshot when it has one of this shape. */
  find(stream: StreamName, shape: string): Promise<Snapshot | undefined>;
  /** Writes it soon; of several offered for a stream meanwhile, the newest. */
  offer(stream: StreamName, shape: string, snapshot: Snapshot): void;
}

const shapes = new WeakMap<object, string>();

/**
 * What a state of this aggregate depends on: the version declared with its decider, where it begins, and the text of each fold.
 * A build that folds otherwise finds no snapshot of the one before.
 */
export function shapeOf<C extends CommandBase, E extends Message, S>(it: Aggregate<C, E, S>): string {
  const known = shapes.get(it);
  if (known !== undefined) return known;
  const { initial, evolve, stateVersion = 1 } = it.decider;
  const folds = Object.entries<(...args: never[]) => unknown>(evolve).map(([type, fold]) => [type, String(fold)]);
  const versions = Object.entries<{ version: number }>(it.events).map(([type, { version }]) => [type, version]);
  const whole = JSON.stringify([it.category, stateVersion, initial, versions, folds]);
  const shape = hash('sha256', whole, 'base64url').slice(0, 22);
  shapes.set(it, shape);
  return shape;
}
