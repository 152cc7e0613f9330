import type { CommandBase, Decider } from './decider';
import type { DataOf, Message } from './message';
import type { Owner } from './personal';

/** Rewrites the data of one older schema version into the next; chained on read until the present version. */
export type Upcaster = (data: Record<string, unknown>) => Record<string, unknown>;

/** How one event type is stored. */
export interface EventSchema<Data extends object = object> {
  /** Present schema version, from 1. */
  readonly version: number;
  /** `upcasters[0]` turns version 1 into 2, and so on; as many as `version - 1`. */
  readonly upcasters?: readonly Upcaster[];
  /**
   * Personal fields, by name or dotted path, and whose each is: they are sealed per subject before the event is stored
   * (docs/decisions/0011).
   */
  readonly personal?: { readonly [P in Extract<keyof Data, string> | `${string}.${string}`]?: Owner<Data> };
}

/** How each event of a union is stored. */
export type EventSchemas<E extends Message> = { readonly [T in E['type']]: EventSchema<DataOf<E, T>> };

/** An aggregate as the rest of the house sees it: its decider, its noun and how its events are stored. */
export interface Aggregate<C extends CommandBase = CommandBase, E extends Message = Message, S = unknown> {
  /** Stream category and `entityType` in the audit log: `post`, `account`. Letters and `_` only. */
  readonly category: string;
  readonly decider: Decider<C, E, S>;
  readonly events: EventSchemas<E>;
}

/** Identity with inference. */
export const aggregate = <C extends CommandBase, E extends Message, S>(it: Aggregate<C, E, S>): Aggregate<C, E, S> =>
  it;
