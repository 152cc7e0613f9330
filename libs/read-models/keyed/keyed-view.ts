import { parseStream, type RecordedEvent } from '#event-store';
import { apply, type Aggregate, type CommandBase, type Message } from '#kernel';

/** A column that a list can be filtered by, drawn from the state. Lists are stored as their elements. */
export interface Column<S> {
  readonly type: 'text' | 'timestamptz' | 'text[]';
  readonly of: (state: S) => string | null | readonly string[];
}

/** How a query parameter reads a column: equal, one of a list's elements, from (inclusive), to (exclusive). */
export interface Filter {
  readonly column: string;
  readonly how: 'is' | 'has' | 'from' | 'to';
  /** For `to`: a thing came into being this long after the time in the column at the latest. Newer ones are then not looked at. */
  readonly madeWithinMs?: number;
}

type RowOf<S> = (id: string) => S | undefined;

/** A view with one row per thing: pure; what runs it owns transaction and checkpoint. */
export interface KeyedView<S extends object = object, Shown extends object = object> {
  /** Name of the projection and of its table. */
  readonly name: string;
  /** Counted up whenever rows would look different: the view is then built anew beside the old. */
  readonly shape: number;
  /** The stream category it follows. */
  readonly category: string;
  /** Its rows are parts of one stream, that of their workspace, and each counts the events that touch it. */
  readonly isDivided?: true;
  /** Rows that an event touches, by id: the stream's own id unless the view divides a stream. */
  readonly keys: (event: RecordedEvent) => readonly string[];
  /**
   * The row after an event; `state` is undefined before the first. `other` gives the other rows that the event touches, by id: those that
   * `keys` names later as they were before it.
   */
  readonly evolve: (state: S | undefined, event: RecordedEvent, id: string, other: RowOf<S>) => S;
  /** A deleted thing keeps its row, unseen; so is a row that is there for others alone. */
  readonly isGone?: (state: S) => boolean;
  readonly columns: Readonly<Record<string, Column<S>>>;
  readonly filters: Readonly<Record<string, Filter>>;
  /** As its GET answers. */
  readonly present: (state: S, id: string) => Shown;
}

/** What a view of an aggregate says of itself beside its decider. */
type OfAggregate<S extends object, Shown extends object> = Pick<
  KeyedView<S, Shown>,
  'name' | 'shape' | 'columns' | 'filters' | 'present'
>;

/** A view whose rows are an aggregate's states: the very fold that decides also answers. `Absent` never is a row. */
export function viewOf<
  C extends CommandBase,
  E extends Message,
  State extends object,
  S extends State,
  Shown extends object,
>(it: Aggregate<C, E, State>, exists: (state: State) => state is S, rest: OfAggregate<S, Shown>): KeyedView<S, Shown> {
  return {
    ...rest,
    category: it.category,
    keys: ownKey,
    evolve: (state, event) => {
      const next = apply(it.decider, state ?? it.decider.initial, event as unknown as E);
      if (!exists(next)) throw new Error(`${event.type} at ${event.position} leaves nothing of ${event.stream}`);
      return next;
    },
  };
}

/** Takes an event into the rows that it touches. */
export function takeIn<S extends object, Shown extends object>(
  view: KeyedView<S, Shown>,
  rows: Map<string, S>,
  event: RecordedEvent,
): void {
  for (const id of view.keys(event))
    rows.set(
      id,
      view.evolve(rows.get(id), event, id, (other) => rows.get(other)),
    );
}

/** The revision of a row after an event: its stream's, or the row's own count where rows share a stream. */
export const revisionAfter = (
  { isDivided }: Pick<KeyedView, 'isDivided'>,
  before: number,
  event: RecordedEvent,
): number => (isDivided ? before + 1 : event.revision);

/** The stream's own id is the row's. */
export const ownKey = (event: RecordedEvent): readonly string[] => [parseStream(event.stream).id];

/** Most aggregates begin as absent. */
export const isThere = <S extends { readonly status: string }>(state: S): state is Exclude<S, { status: 'absent' }> =>
  state.status !== 'absent';
