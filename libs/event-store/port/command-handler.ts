import {
  apply,
  decide,
  DomainError,
  eventIdOf,
  fold,
  Recent,
  type Aggregate,
  type CommandBase,
  type Instant,
  type Message,
} from '#kernel';
import {
  EventStoreUnavailableError,
  NO_STREAM,
  streamName,
  WrongRevisionError,
  type Appended,
  type EventStore,
  type NewEvent,
  type RecordedEvent,
  type Revision,
  type StreamName,
} from './event-store';
import { upcastBy } from './upcast';

/** Who sends a command and what it belongs to; becomes the metadata of its events. */
export interface CommandContext {
  readonly workspace: string;
  readonly actor: string;
  readonly correlationId: string;
  readonly causationId: string | null;
  /** Event ids derive from it. */
  readonly commandId: string;
  readonly traceparent?: string;
  readonly at: Instant;
  /**
   * The same command id may come again (an Idempotency-Key, a timer): the stream is searched for its effect before
   * anything is decided.
   */
  readonly repeatable?: boolean;
}

export interface Handled<S> {
  /** The state after this command, also when the command had been handled before. */
  readonly state: S;
  readonly revision: Revision;
  /** Position of the newest event taken into account; 0 for none. */
  readonly position: number;
  /** What this command appended, now or at its first try; empty when there was nothing to change. */
  readonly events: readonly NewEvent[];
}

export interface Loaded<S> {
  readonly state: S;
  readonly revision: Revision;
  readonly position: number;
}

/** Conflicts with other processes only: within this one, the commands of a stream go one by one. */
const MAX_CONFLICTS = 50;

/** A stream as this process knows it, with the commands that have had an effect on it. */
interface Known<S> extends Loaded<S> {
  /** Only ever grows, by what is in the log: states of one stream may share it. */
  readonly commands: Set<string>;
}

/** The only read-decide-append in the system. */
export class CommandHandler {
  /** Folded states by stream. A guess that the append's exact revision proves; a refusal is never taken from it alone. */
  private readonly cache: Recent<StreamName, Known<unknown>>;
  /** The last command in line for each stream that has one under way. */
  private readonly lanes = new Map<StreamName, Promise<unknown>>();

  constructor(
    private readonly store: EventStore,
    cacheSize = 10_000,
  ) {
    this.cache = new Recent(cacheSize);
  }

  /**
   * Decides `command` on the thing `id` and appends what follows, at the exact revision, re-deciding on a conflict.
   * `expected` (If-Match) that is not the present revision: DomainError `REVISION_STALE`. Other DomainErrors come from the decider.
   * EventStoreUnavailableError: it may or may not have happened; the same command id again is answered right.
   */
  handle<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    id: string,
    command: C,
    context: CommandContext,
    options: { expected?: Revision } = {},
  ): Promise<Handled<S>> {
    const stream = streamName(it.category, context.workspace, id);
    return this.inLine(stream, () =>
      new Handling(this.store, this.cached(it, stream), it, stream, command, context, options.expected).run((now) =>
        this.remember(stream, now),
      ),
    );
  }

  /** The thing as the log has it now: for checks across things, which must not lag. */
  async load<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    workspace: string,
    id: string,
  ): Promise<Loaded<S>> {
    const stream = streamName(it.category, workspace, id);
    const now = await refreshed(this.store, it, stream, this.cached(it, stream));
    this.remember(stream, now);
    return { state: now.state, revision: now.revision, position: now.position };
  }

  /** Hundreds of commands for one stream at once would refuse each other round after round; in line, each finds the state of the one before. */
  private inLine<T>(stream: StreamName, work: () => Promise<T>): Promise<T> {
    const before = this.lanes.get(stream);
    const turn = before ? before.then(work, work) : work();
    this.lanes.set(stream, turn);
    const leave = () => void (this.lanes.get(stream) === turn && this.lanes.delete(stream));
    turn.then(leave, leave);
    return turn;
  }

  private cached<C extends CommandBase, E extends Message, S>(it: Aggregate<C, E, S>, stream: StreamName): Known<S> {
    return (this.cache.get(stream) as Known<S> | undefined) ?? unknown(it);
  }

  private remember(stream: StreamName, now: Known<unknown> | undefined): void {
    if (now && now.revision !== NO_STREAM) this.cache.set(stream, now);
    else this.cache.delete(stream);
  }
}

/** One command on its way. */
class Handling<C extends CommandBase, E extends Message, S> {
  constructor(
    private readonly store: EventStore,
    private known: Known<S>,
    private readonly it: Aggregate<C, E, S>,
    private readonly stream: StreamName,
    private readonly command: C,
    private readonly context: CommandContext,
    private readonly expected: Revision | undefined,
  ) {}

  /** `learn` hears what is known of the stream afterwards, or nothing when that is in doubt. */
  async run(learn: (now: Known<S> | undefined) => void): Promise<Handled<S>> {
    try {
      const handled = (await this.tryGuess()) ?? (await this.decideOnTheLog());
      learn(this.known);
      return handled;
    } catch (error) {
      learn(error instanceof DomainError ? this.known : undefined);
      throw error;
    }
  }

  /** Decides on a state that may be old: events go in only if it was not, and no answer without events is believed. */
  private async tryGuess(): Promise<Handled<S> | undefined> {
    if (
      this.known.commands.has(this.context.commandId) ||
      (this.expected !== undefined && this.expected !== this.known.revision)
    )
      return undefined;
    let decided: readonly E[];
    try {
      decided = decide(this.it.decider, this.command, this.known.state);
    } catch (error) {
      if (error instanceof DomainError) return undefined;
      throw error;
    }
    return decided.length === 0 ? undefined : this.append(decided);
  }

  private async decideOnTheLog(): Promise<Handled<S>> {
    for (let conflicts = 0; ; conflicts++) {
      this.known = await refreshed(this.store, this.it, this.stream, this.known);
      if (this.context.repeatable && this.known.commands.has(this.context.commandId)) return this.effect();
      const { state, revision, position } = this.known;
      const isStale = this.expected !== undefined && this.expected !== revision;
      if (isStale && revision !== NO_STREAM) throw stale(revision);
      // Of a thing that is not there, the decider says so first: it is not found rather than changed.
      const decided = decide(this.it.decider, this.command, state);
      if (isStale) throw stale(revision);
      if (decided.length === 0) return { state, revision, position, events: [] };
      const handled = await this.append(decided);
      if (handled) return handled;
      if (conflicts >= MAX_CONFLICTS)
        throw new EventStoreUnavailableError(
          `Stream ${this.stream} is written to faster than a command can be decided on it`,
        );
    }
  }

  /** Undefined when the stream has moved on. */
  private async append(decided: readonly E[]): Promise<Handled<S> | undefined> {
    const { workspace, actor, correlationId, causationId, commandId, traceparent, at } = this.context;
    const events = decided.map(({ type, data }, index): NewEvent => {
      const metadata = {
        workspace,
        actor,
        correlationId,
        causationId,
        commandId,
        schemaVersion: this.it.events[type as E['type']].version,
        occurredAt: at,
      };
      return {
        id: eventIdOf(commandId, index),
        type,
        data,
        metadata: traceparent ? { ...metadata, traceparent } : metadata,
      };
    });
    let appended: Appended;
    try {
      appended = await this.store.append(this.stream, events, this.known.revision);
    } catch (error) {
      if (error instanceof WrongRevisionError) return undefined;
      throw error;
    }
    // Another process may have run the same command a moment ago, at another time of day: what counts is what stands there.
    if (appended.repeated ?? this.context.repeatable) return this.effect();
    const state = decided.reduce((folded, event) => apply(this.it.decider, folded, event), this.known.state);
    const now = { state, revision: appended.revision, position: appended.position };
    this.known = { ...now, commands: this.known.commands.add(commandId) };
    return { ...now, events };
  }

  /** The answer that the command's first run gave, from the stream itself. */
  private async effect(): Promise<Handled<S>> {
    const events = await readStream(this.store, this.it, this.stream, 0);
    const own = events.filter(({ metadata }) => metadata.commandId === this.context.commandId);
    const then = folded(this.it, events.slice(0, own.at(-1)!.revision + 1), unknown(this.it));
    this.known = folded(this.it, events.slice(then.revision + 1), then);
    return { state: then.state, revision: then.revision, position: then.position, events: own };
  }
}

const unknown = <C extends CommandBase, E extends Message, S>(it: Aggregate<C, E, S>): Known<S> => ({
  state: it.decider.initial,
  revision: NO_STREAM,
  position: 0,
  commands: new Set(),
});

/** What is known, brought up to the log: reads the last event known and those after it, or all when the log disagrees. */
async function refreshed<C extends CommandBase, E extends Message, S>(
  store: EventStore,
  it: Aggregate<C, E, S>,
  stream: StreamName,
  known: Known<S>,
): Promise<Known<S>> {
  const [last, ...news] = await readStream(store, it, stream, Math.max(0, known.revision));
  if (known.revision !== NO_STREAM && last?.position === known.position)
    return news.length > 0 ? folded(it, news, known) : known;
  if (known.revision <= 0) return folded(it, last ? [last, ...news] : [], unknown(it));
  return folded(it, await readStream(store, it, stream, 0), unknown(it));
}

async function readStream<C extends CommandBase, E extends Message, S>(
  store: EventStore,
  it: Aggregate<C, E, S>,
  stream: StreamName,
  from: Revision,
): Promise<RecordedEvent[]> {
  const events = await store.read(stream, from);
  return events.map((event) => {
    const schema = it.events[event.type as E['type']];
    if (!schema) throw new Error(`Stream ${stream} holds ${event.type}, which ${it.category} does not know`);
    return upcastBy(schema, event);
  });
}

function folded<C extends CommandBase, E extends Message, S>(
  it: Aggregate<C, E, S>,
  events: readonly RecordedEvent[],
  from: Known<S>,
): Known<S> {
  const last = events.at(-1);
  const state = fold(it.decider, events as readonly unknown[] as readonly E[], from.state);
  for (const { metadata } of events) from.commands.add(metadata.commandId);
  return {
    state,
    revision: last?.revision ?? from.revision,
    position: last?.position ?? from.position,
    commands: from.commands,
  };
}

const stale = (actual: Revision): DomainError =>
  new DomainError(
    'REVISION_STALE',
    'stale',
    'The thing has changed since you read it.',
    actual === NO_STREAM ? 'It has no revision yet.' : `It is at revision ${actual}.`,
  );
