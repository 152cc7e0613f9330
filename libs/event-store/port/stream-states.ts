import { fold, Recent, sizeOf, type Aggregate, type CommandBase, type Message } from '#kernel';
import { NO_STREAM, type EventStore, type RecordedEvent, type Revision, type StreamName } from './event-store';
import { readOwn } from './read-own';
import { shapeOf, type Snapshots } from './snapshots';
import { upcastBy } from './upcast';

export interface Loaded<S> {
  readonly state: S;
  readonly revision: Revision;
  /** Position of the newest event taken into account; 0 for none. */
  readonly position: number;
}

/** A stream as this process knows it, with the commands that have had an effect on it. */
export interface Known<S> extends Loaded<S> {
  /** Only ever grows, by what is in the log: states of one stream may share it. */
  readonly commands: Set<string>;
  /** Folded from a snapshot: the commands before it are not among `commands`. */
  readonly isPartial: boolean;
  /** The newest snapshot that was found or offered. */
  readonly snapshotAt: Revision;
  /** Characters that it takes, at most: of the state and of all that was folded into it since it was measured. */
  readonly size: number;
}

export interface SnapshotOptions {
  readonly snapshots: Snapshots;
  /** Streams of so many events and more have one, renewed after as many again. */
  readonly every: number;
}

/** Events of a long stream in one read. */
const STRETCH = 5_000;
const LONG_STREAMS = 100_000;

export const unknown = <C extends CommandBase, E extends Message, S>(it: Aggregate<C, E, S>): Known<S> => ({
  state: it.decider.initial,
  revision: NO_STREAM,
  position: 0,
  commands: new Set(),
  isPartial: false,
  snapshotAt: NO_STREAM,
  size: 0,
});

/** States are measured when they may have become so large: of most it is known that they have not. */
const LARGE = 64_000;
/** Of one command among those that are known. */
const ID_SIZE = 60;

const measured = <S>(known: Known<S>): Known<S> =>
  known.size < LARGE ? known : { ...known, size: sizeOf(known.state) + ID_SIZE * known.commands.size };

/** What some events add to what is known, at most. */
export const growthBy = (events: readonly { readonly data: object }[]): number =>
  events.reduce((size, { data }) => size + sizeOf(data), ID_SIZE);

/** Streams folded into states: from what is known already, from a snapshot when they are long, else from their first event. */
export class StreamStates {
  /** Those that were found long: they are looked for among the snapshots first. */
  private readonly long = new Recent<StreamName, true>(LONG_STREAMS);

  constructor(
    private readonly store: EventStore,
    private readonly options: SnapshotOptions | undefined,
  ) {}

  /** What is known, brought up to the log: reads the last event known and those after it, or more when the log disagrees. */
  async refreshed<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
    known: Known<S>,
  ): Promise<Known<S>> {
    return (await this.onwards(it, stream, known)) ?? (await this.opened(it, stream));
  }

  /** From the first event, whatever snapshot there is: with every command that has had an effect. */
  async whole<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
  ): Promise<Known<S>> {
    return this.folded(it, stream, unknown(it));
  }

  /** The stream's events from revision `from` on, in the present version. Rejects as `readOwn` does. */
  async events<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
    from: Revision,
    limit?: number,
  ): Promise<RecordedEvent[]> {
    const events = await readOwn(this.store, stream, from, limit);
    return events.map((event) => {
      const schema = it.events[event.type as E['type']];
      if (!schema) throw new Error(`Stream ${stream} holds ${event.type}, which ${it.category} does not know`);
      return upcastBy(schema, event);
    });
  }

  /** What is known from then on. Offers a snapshot when one is due, which is written later. */
  keep<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
    now: Known<S>,
  ): Known<S> {
    const { state, revision, position, snapshotAt } = now;
    if (!this.options || revision - snapshotAt < this.options.every) return measured(now);
    this.long.set(stream, true);
    this.options.snapshots.offer(stream, shapeOf(it), { state, revision, position });
    return measured({ ...now, snapshotAt: revision });
  }

  /** A stream of which nothing is known here. A short one takes one read, and nobody asks for its snapshot. */
  private async opened<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
  ): Promise<Known<S>> {
    if (!this.options) return this.whole(it, stream);
    const isLong = this.long.get(stream) ?? false;
    const first = isLong ? [] : await this.events(it, stream, 0, this.options.every);
    const start = folded(it, first, unknown(it));
    if (!isLong && first.length < this.options.every) return start;
    this.long.set(stream, true);
    const snapshot = await this.options.snapshots.find(stream, shapeOf(it));
    if (!snapshot) return this.folded(it, stream, start);
    const { revision: snapshotAt } = snapshot;
    // As far as it was read anyway, with all of its commands.
    if (snapshotAt <= start.revision) return this.folded(it, stream, { ...start, snapshotAt });
    const state = snapshot.state as S;
    const commands = new Set<string>();
    const kept = { ...snapshot, state, commands, isPartial: true, snapshotAt, size: sizeOf(state) };
    return (await this.onwards(it, stream, kept)) ?? this.folded(it, stream, start);
  }

  /** Undefined when the log has another event at the revision known, or none. */
  private async onwards<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
    known: Known<S>,
  ): Promise<Known<S> | undefined> {
    if (known.revision === NO_STREAM) return undefined;
    const [last, ...news] = await this.events(it, stream, known.revision);
    if (last?.position !== known.position) return undefined;
    return news.length > 0 ? folded(it, news, known) : known;
  }

  private async folded<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
    from: Known<S>,
  ): Promise<Known<S>> {
    for (let known = from; ;) {
      const events = await this.events(it, stream, known.revision + 1, STRETCH);
      known = folded(it, events, known);
      if (events.length < STRETCH) return known;
    }
  }
}

/** What is known, with the events that follow it. */
export function folded<C extends CommandBase, E extends Message, S>(
  it: Aggregate<C, E, S>,
  events: readonly RecordedEvent[],
  from: Known<S>,
): Known<S> {
  const last = events.at(-1);
  const state = fold(it.decider, events as readonly unknown[] as readonly E[], from.state);
  for (const { metadata } of events) from.commands.add(metadata.commandId);
  const { revision, position } = last ?? from;
  return { ...from, state, revision, position, size: from.size + growthBy(events) };
}
