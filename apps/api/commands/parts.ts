import { Injectable } from '@nestjs/common';
import { streamName } from '#event-store';
import { DomainError, type Aggregate, type CommandBase, type Message } from '#kernel';
import type { KeyedView } from '#read-models';
import type { Call } from '../http/call';
import { NO_REVISION } from '../http/headers';
import { Things } from '../reads/things';
import { Commands, type Asked } from './commands';

/** One of the things that share the stream of their workspace, by the view that its GET shows. */
export interface Part<V extends object> {
  readonly view: KeyedView<V, object>;
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
      const expected = await this.expected(it, part, call);
      try {
        const { state, events } = await this.commands.run(it, call.workspace, asked, call, expected ?? null);
        if (events.length === 0) await this.tag(it, part, call);
        return state;
      } catch (error) {
        const isOthers = expected !== undefined && expected !== NO_REVISION && conflicts < MAX_CONFLICTS;
        if (!(isOthers && error instanceof DomainError && error.code === 'REVISION_STALE')) throw error;
      }
    }
  }

  /** The revision that the stream must be at for If-Match to hold; undefined when nothing is asked of it. */
  private async expected<C extends CommandBase, E extends Message, S, V extends object>(
    it: Aggregate<C, E, S>,
    { view, id }: Part<V>,
    call: Call,
  ): Promise<number | undefined> {
    const { workspace } = call;
    if (call.expected === undefined) return undefined;
    // The stream first: what happens to the thing after that makes it newer than the stream, which is stale as well.
    const { revision } = await this.commands.load(it, workspace, workspace);
    const seen = await this.things.fromLog(view, streamName(it.category, workspace, workspace), id);
    return seen && call.expected.includes(seen.revision) ? revision : NO_REVISION;
  }

  /** A command without effect leaves its thing at the revision it had, which is not that of the stream. */
  private async tag<V extends object>(
    { category }: { readonly category: string },
    { view, id }: Part<V>,
    call: Call,
  ): Promise<void> {
    const { workspace } = call;
    const seen = await this.things.fromLog(view, streamName(category, workspace, workspace), id);
    if (seen) call.revision(seen.revision);
  }
}
