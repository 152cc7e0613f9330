import { Injectable } from '@nestjs/common';
import { NO_STREAM, staleRevision } from '#event-store';
import { decide, DomainError, type Aggregate, type CommandBase, type Message } from '#kernel';
import type { KeyedQuery } from '#read-models';
import type { Call } from '../http/call';
import { NO_REVISION } from '../http/headers';
import { Things } from '../reads/things';
import { Commands, type Asked } from './commands';

/** One of the things that share the stream of their workspace, by the query that its GET asks. */
export interface Part<V extends object> {
  readonly query: KeyedQuery<V, object>;
  readonly id: string;
}

/** Others write to the same stream meanwhile; so often the command is tried again before the caller is told. */
const MAX_CONFLICTS = 20;

/**
 * Runs commands on things that share a stream, as the members and invitations of a team do: If-Match and ETag speak of the
 * one thing, at the revision that its GET shows, whatever has become of the others since.
 */
@Injectable()
export class Parts {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  /** The state that all of them share, after the command. Throws as `Commands.run` does. */
  async run<C extends CommandBase, E extends Message, S, V extends object>(
    it: Aggregate<C, E, S>,
    part: Part<V>,
    asked: Asked<C>,
    call: Call,
  ): Promise<S> {
    for (let conflicts = 0; ; conflicts++) {
      const asksFor = await this.asksFor(it, part, asked, call);
      try {
        const { state, events } = await this.commands.run(it, call.workspace, asked, call, asksFor?.stream ?? null);
        if (events.length === 0) await this.tag(part, call);
        return state;
      } catch (error) {
        if (!asksFor || !(error instanceof DomainError && error.code === 'REVISION_STALE')) throw error;
        if (asksFor.stream === NO_REVISION) throw staleRevision(asksFor.seen);
        if (conflicts >= MAX_CONFLICTS) throw error;
      }
    }
  }

  /** The revision that the stream must be at for If-Match to hold, and the one its thing is at; undefined when nothing is asked of it. */
  private async asksFor<C extends CommandBase, E extends Message, S, V extends object>(
    it: Aggregate<C, E, S>,
    { query, id }: Part<V>,
    asked: Asked<C>,
    call: Call,
  ): Promise<{ readonly stream: number; readonly seen: number } | undefined> {
    const { workspace, expected, context } = call;
    if (expected === undefined) return undefined;
    // The stream first: what happens to the thing after that makes it newer than the stream, which is stale as well.
    const { state, revision } = await this.commands.load(it, workspace, workspace);
    const seen = (await this.things.fromLog(query, workspace, id))?.revision;
    // Of a thing that is not there, the decider says so first: it is not found rather than changed.
    if (seen === undefined)
      decide(it.decider, { ...asked, at: context.at, actor: context.actor } as unknown as C, state);
    return {
      stream: seen !== undefined && expected.includes(seen) ? revision : NO_REVISION,
      seen: seen ?? NO_STREAM,
    };
  }

  /** A command without effect leaves its thing at the revision it had, which is not that of the stream. */
  private async tag<V extends object>({ query, id }: Part<V>, call: Call): Promise<void> {
    const seen = await this.things.fromLog(query, call.workspace, id);
    if (seen) call.revision(seen.revision);
  }
}
