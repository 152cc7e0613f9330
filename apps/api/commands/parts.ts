import { Injectable } from '@nestjs/common';
import { NO_STREAM, staleRevision, type Handled } from '#event-store';
import { decide, DomainError, type Aggregate, type CommandBase, type Message } from '#kernel';
import type { Call } from '../http/call';
import { NO_REVISION } from '../http/headers';
import { Commands, type Asked } from './commands';

/** The revision of one of the things that share a stream, counted for itself; undefined when it is not there. */
export type RevisionIn<S> = (state: S) => number | undefined;

/** Others write to the same stream meanwhile; so often the command is tried again before the caller is told. */
const MAX_CONFLICTS = 20;

/**
 * Runs commands on things that share a stream, as the members and invitations of a team do: If-Match and ETag speak of the
 * one thing, at its own revision, whatever has become of the others since.
 */
@Injectable()
export class Parts {
  constructor(private readonly commands: Commands) {}

  /** As `Commands.run`, with the state that all of them share. */
  async run<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    revisionIn: RevisionIn<S>,
    asked: Asked<C>,
    call: Call,
  ): Promise<Handled<S>> {
    for (let conflicts = 0; ; conflicts++) {
      const asksFor = await this.asksFor(it, revisionIn, asked, call);
      try {
        const handled = await this.commands.run(it, call.workspace, asked, call, asksFor?.stream ?? null);
        call.revision(revisionIn(handled.state) ?? NO_STREAM);
        return handled;
      } catch (error) {
        if (!asksFor || !(error instanceof DomainError && error.code === 'REVISION_STALE')) throw error;
        if (asksFor.stream === NO_REVISION) throw staleRevision(asksFor.seen);
        if (conflicts >= MAX_CONFLICTS) throw error;
      }
    }
  }

  /** The revision that the stream must be at for If-Match to hold, and the one its thing is at; undefined when nothing is asked of it. */
  private async asksFor<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    revisionIn: RevisionIn<S>,
    asked: Asked<C>,
    call: Call,
  ): Promise<{ readonly stream: number; readonly seen: number } | undefined> {
    const { workspace, expected, context } = call;
    if (expected === undefined) return undefined;
    const { state, revision } = await this.commands.load(it, workspace, workspace);
    const seen = revisionIn(state);
    // Of a thing that is not there, the decider says so first: it is not found rather than changed.
    if (seen === undefined)
      decide(it.decider, { ...asked, at: context.at, actor: context.actor } as unknown as C, state);
    return {
      stream: seen !== undefined && expected.includes(seen) ? revision : NO_REVISION,
      seen: seen ?? NO_STREAM,
    };
  }
}
