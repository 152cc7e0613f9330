import {
  apply,
  decide,
  DomainError,
  eventIdOf,
  fold,
  type Aggregate,
  type CommandBase,
  type Instant,
  type Message,
} from '#kernel';
import {
  NO_STREAM,
  streamName,
  WrongRevisionError,
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

const MAX_CONFLICTS = 20;

/** The only read-decide-append in the system. */
export class CommandHandler {
  /** Folded states by stream. A guess that the append's exact revision proves; a refusal is never taken from it alone. */
  private readonly cache = new Map<StreamName, Loaded<unknown>>();

  constructor(
    private readonly store: EventStore,
    private readonly cacheSize = 10_000,
  ) {}

  /**
   * Decides `command` on the thing `id` and appends what follows, at the exact revision, re-deciding on a conflict.
   * `expected` (If-Match) that is not the present revision: DomainError `REVISION_STALE`. Other DomainErrors come from the decider.
   */
  async handle<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    id: string,
    command: C,
    context: CommandContext,
    options: { expected?: Revision } = {},
  ): Promise<Handled<S>> {
    const stream = streamName(it.category, context.workspace, id);
    const guess = context.repeatable
      ? undefined
      : (this.cached<S>(stream) ?? { state: it.decider.initial, revision: NO_STREAM, position: 0 });
    if (guess && (options.expected === undefined || options.expected === guess.revision)) {
      const handled = await this.tryGuess(it, stream, guess, command, context);
      if (handled) return handled;
    }
    for (let conflicts = 0; ; conflicts++) {
      const events = await this.read(it, stream);
      const before = context.repeatable ? this.effectOf(it, events, context.commandId) : undefined;
      if (before) return before;
      const present = this.folded(it, events);
      if (options.expected !== undefined && options.expected !== present.revision)
        throw stale(options.expected, present.revision);
      const decided = decide(it.decider, command, present.state);
      if (decided.length === 0) return { ...present, events: [] };
      try {
        return await this.append(it, stream, present, decided, context);
      } catch (error) {
        if (!(error instanceof WrongRevisionError) || conflicts >= MAX_CONFLICTS) throw error;
      }
    }
  }

  /** The thing as the log has it now: for checks across things, which must not lag. */
  async load<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    workspace: string,
    id: string,
  ): Promise<Loaded<S>> {
    return this.folded(it, await this.read(it, streamName(it.category, workspace, id)));
  }

  /** Decides on a state that may be old: events go in only if it was not, and no answer without events is believed. */
  private async tryGuess<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
    guess: Loaded<S>,
    command: C,
    context: CommandContext,
  ): Promise<Handled<S> | undefined> {
    let decided: readonly E[];
    try {
      decided = decide(it.decider, command, guess.state);
    } catch (error) {
      if (error instanceof DomainError) return undefined;
      throw error;
    }
    if (decided.length === 0) return undefined;
    try {
      return await this.append(it, stream, guess, decided, context);
    } catch (error) {
      if (error instanceof WrongRevisionError) return undefined;
      throw error;
    }
  }

  private async append<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
    present: Loaded<S>,
    decided: readonly E[],
    context: CommandContext,
  ): Promise<Handled<S>> {
    const { workspace, actor, correlationId, causationId, commandId, traceparent, at } = context;
    const events = decided.map(({ type, data }, index): NewEvent => {
      const metadata = {
        workspace,
        actor,
        correlationId,
        causationId,
        commandId,
        schemaVersion: it.events[type as E['type']].version,
        occurredAt: at,
      };
      return {
        id: eventIdOf(commandId, index),
        type,
        data,
        metadata: traceparent ? { ...metadata, traceparent } : metadata,
      };
    });
    let appended;
    try {
      appended = await this.store.append(stream, events, present.revision);
    } catch (error) {
      this.cache.delete(stream);
      throw error;
    }
    const state = decided.reduce((folded, event) => apply(it.decider, folded, event), present.state);
    const now = { state, revision: appended.revision, position: appended.position };
    this.remember(stream, now);
    return { ...now, events };
  }

  private async read<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    stream: StreamName,
  ): Promise<RecordedEvent[]> {
    const events = await this.store.read(stream);
    return events.map((event) => {
      const schema = it.events[event.type as E['type']];
      if (!schema) throw new Error(`Stream ${stream} holds ${event.type}, which ${it.category} does not know`);
      return upcastBy(schema, event);
    });
  }

  private folded<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    events: readonly RecordedEvent[],
  ): Loaded<S> {
    const last = events.at(-1);
    const state = fold(it.decider, events as readonly unknown[] as readonly E[]);
    return { state, revision: last?.revision ?? NO_STREAM, position: last?.position ?? 0 };
  }

  private effectOf<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    events: readonly RecordedEvent[],
    commandId: string,
  ): Handled<S> | undefined {
    const last = events.findLastIndex(({ metadata }) => metadata.commandId === commandId);
    if (last < 0) return undefined;
    const own = events.filter(({ metadata }) => metadata.commandId === commandId);
    return { ...this.folded(it, events.slice(0, last + 1)), events: own };
  }

  private cached<S>(stream: StreamName): Loaded<S> | undefined {
    return this.cache.get(stream) as Loaded<S> | undefined;
  }

  private remember(stream: StreamName, now: Loaded<unknown>): void {
    this.cache.delete(stream);
    this.cache.set(stream, now);
    if (this.cache.size > this.cacheSize) this.cache.delete(this.cache.keys().next().value!);
  }
}

const stale = (expected: Revision, actual: Revision): DomainError =>
  new DomainError(
    'REVISION_STALE',
    'stale',
    'The thing has changed since you read it.',
    `Revision ${expected} was expected, and it is at ${actual}.`,
  );
