import {
  apply,
  decide,
  DomainError,
  eventIdOf,
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
  type Revision,
  type StreamName,
} from './event-store';
import { sealEvents, type Sealing } from './sealing';
import {
  folded,
  growthBy,
  StreamStates,
  unknown,
  type Known,
  type Loaded,
  type SnapshotOptions,
} from './stream-states';

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
  /** It was begun before, by a run that never answered: nothing is decided, nor a key made to seal it, before the log was asked. */
  readonly isRetaken?: boolean;
}

export interface Handled<S> extends Loaded<S> {
  /** What this command appended, now or at its first try; empty when there was nothing to change. */
  readonly events: readonly NewEvent[];
}

export interface CommandHandlerOptions {
  /** Streams whose states stay in memory (10,000). */
  readonly remembered?: number;
  /** Where the states of long streams are kept; without it they are folded from their first event. */
  readonly snapshots?: SnapshotOptions;
  /** Seals personal data before it is stored; without it nothing is sealed, as in tests. */
  readonly sealing?: Sealing | undefined;
}

/** Characters of all states in memory. */
const REMEMBERED_SIZE = 64_000_000;
/** Conflicts with other processes only: within this one, the commands of a stream go one by one. */
const MAX_CONFLICTS = 50;

/** Hears how far a thing is after a command, whoever in this process sent it. */
export type HandledHearer = (workspace: string, category: string, id: string, now: Loaded<unknown>) => void;

/** The only read-decide-append in the system. */
export class CommandHandler {
  /** Folded states by stream. A guess that the append's exact revision proves; a refusal is never taken from it alone. */
  private readonly cache: Recent<StreamName, Known<unknown>>;
  /** The last command in line for each stream that has one under way. */
  private readonly lanes = new Map<StreamName, Promise<unknown>>();
  private readonly states: StreamStates;
  private readonly sealing: Sealing | undefined;
  private readonly hearers = new Set<HandledHearer>();

  constructor(
    private readonly store: EventStore,
    { remembered = 10_000, snapshots, sealing }: CommandHandlerOptions = {},
  ) {
    this.sealing = sealing;
    this.cache = new Recent(remembered, { size: REMEMBERED_SIZE, sizeIn: ({ size }) => size });
    this.states = new StreamStates(store, snapshots);
  }

  /**
   * Decides `command` on the thing `id` and appends what follows, at the exact revision, re-deciding on a conflict.
   * `expected` (If-Match) that is not the present revision: DomainError `REVISION_STALE`. Other DomainErrors come from the decider.
   * EventStoreUnavailableError: it may or may not have happened; the same command id again is answered right.
   */
  async handle<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    id: string,
    command: C,
    context: CommandContext,
    options: { expected?: Revision } = {},
  ): Promise<Handled<S>> {
    const stream = streamName(it.category, context.workspace, id);
    const handled = await this.inLine(stream, () =>
      new Handling(
        this.store,
        this.states,
        this.cached(it, stream),
        it,
        stream,
        command,
        context,
        options.expected,
        this.sealing,
      ).run((now) => this.remember(it, stream, now)),
    );
    for (const hear of this.hearers) hear(context.workspace, it.category, id, handled);
    return handled;
  }

  /** From now on told of every command that is handled here. */
  onHandled(hear: HandledHearer): void {
    this.hearers.add(hear);
  }

  /** The thing as the log has it now: for checks across things, which must not lag. */
  async load<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    workspace: string,
    id: string,
  ): Promise<Loaded<S>> {
    const stream = streamName(it.category, workspace, id);
    const now = await this.states.refreshed(it, stream, this.cached(it, stream));
    this.remember(it, stream, now);
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

  private remember<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
    now: Known<S> | undefined,
  ): void {
    if (now && now.revision !== NO_STREAM) this.cache.set(stream, this.states.keep(it, stream, now));
    else this.cache.delete(stream);
  }
}

/** One command on its way. */
class Handling<C extends CommandBase, E extends Message, S> {
  constructor(
    private readonly store: EventStore,
    private readonly states: StreamStates,
    private known: Known<S>,
    private readonly it: Aggregate<C, E, S>,
    private readonly stream: StreamName,
    private readonly command: C,
    private readonly context: CommandContext,
    private readonly expected: Revision | undefined,
    private readonly sealing: Sealing | undefined,
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
      this.context.isRetaken ||
      this.known.commands.has(this.context.commandId) ||
      (this.expected !== undefined && this.expected !== this.known.revision)
    )
      return undefined;
    if (this.isPartial && (await this.mayBeForgotten())) return undefined;
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
      this.known = await this.states.refreshed(this.it, this.stream, this.known);
      if (this.isPartial && (await this.mayBeForgotten())) this.known = await this.states.whole(this.it, this.stream);
      if (this.context.repeatable && this.known.commands.has(this.context.commandId)) return this.effect();
      const { state, revision, position } = this.known;
      const isStale = this.expected !== undefined && this.expected !== revision;
      if (isStale && revision !== NO_STREAM) throw staleRevision(revision);
      // Of a thing that is not there, the decider says so first: it is not found rather than changed.
      const decided = decide(this.it.decider, this.command, state);
      if (isStale) throw staleRevision(revision);
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
    const sealing = this.sealing ? sealEvents(this.sealing, this.it.events, events) : events;
    const stored = sealing instanceof Promise ? await sealing : sealing;
    let appended: Appended;
    try {
      appended = await this.store.append(this.stream, stored, this.known.revision);
    } catch (error) {
      if (error instanceof WrongRevisionError) return undefined;
      throw error;
    }
    // Another process may have run the same command a moment ago, at another time of day: what counts is what stands there.
    if (appended.repeated ?? this.context.repeatable) return this.effect(this.known);
    // As the log has it: what is sealed there is passed on sealed by whatever is decided next.
    const state = (stored as readonly unknown[] as readonly E[]).reduce(
      (folded, event) => apply(this.it.decider, folded, event),
      this.known.state,
    );
    const now = { state, revision: appended.revision, position: appended.position };
    this.known.commands.add(commandId);
    this.known = { ...this.known, ...now, size: this.known.size + growthBy(stored) };
    return { ...now, events: stored };
  }

  /** Whether the command may come again and its effect be older than what is known of the stream's commands. */
  private get isPartial(): boolean {
    return this.context.repeatable === true && this.known.isPartial && !this.known.commands.has(this.context.commandId);
  }

  /** An engine that finds an event by its id tells; of another the whole stream must be read, once in a process. */
  private async mayBeForgotten(): Promise<boolean> {
    const { workspace, commandId } = this.context;
    if (!this.store.positionOf) return true;
    return (await this.store.positionOf(workspace, eventIdOf(commandId, 0))) !== undefined;
  }

  /** The answer that the command's first run gave, from the stream itself, which has it after `from`. */
  private async effect(from = unknown(this.it)): Promise<Handled<S>> {
    const events = await this.states.events(this.it, this.stream, from.revision + 1);
    const own = events.filter(({ metadata }) => metadata.commandId === this.context.commandId);
    const end = events.indexOf(own.at(-1)!) + 1;
    const then = folded(this.it, events.slice(0, end), from);
    this.known = folded(this.it, events.slice(end), then);
    return { state: then.state, revision: then.revision, position: then.position, events: own };
  }
}

/** What If-Match is refused with. */
export const staleRevision = (actual: Revision): DomainError =>
  new DomainError(
    'REVISION_STALE',
    'stale',
    'The thing has changed since you read it.',
    actual === NO_STREAM ? 'It has no revision yet.' : `It is at revision ${actual}.`,
  );
