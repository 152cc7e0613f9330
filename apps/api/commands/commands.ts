import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { readOwn, streamName, type CommandContext, type Handled, type Loaded } from '#event-store';
import { followingUuid, publicEventId, uuidv7, type Aggregate, type CommandBase, type Message } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import type { Call } from '../http/call';
import { Run } from './run.command';

/** A command without what the edge adds to every one. */
export type Asked<C extends CommandBase> = C extends CommandBase ? Omit<C, 'at' | 'actor'> : never;

/** Runs commands for a request. */
@Injectable()
export class Commands {
  constructor(
    private readonly bus: CommandBus,
    @Inject(ENGINES) private readonly engines: Engines,
  ) {}

  /**
   * Runs the request's command; its thing's revision becomes the ETag of the answer. Throws the decider's DomainErrors and
   * REVISION_STALE. `expected` stands in for what If-Match asks for; null asks for nothing.
   */
  async run<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    id: string,
    asked: Asked<C>,
    call: Call,
    expected?: number | null,
  ): Promise<Handled<S>> {
    const asksFor = expected === undefined ? await this.expected(it, id, call) : (expected ?? undefined);
    const handled = await this.execute(it, id, asked, call.context, asksFor);
    call.revision(handled.revision);
    return handled;
  }

  /** Runs a further command of the same request on another thing: its own command id, no If-Match, no ETag. `cause` is what led to it, where that was before. */
  also<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    id: string,
    asked: Asked<C>,
    call: Call,
    cause?: Handled<unknown>,
  ): Promise<Handled<S>> {
    const context: CommandContext = {
      ...call.context,
      commandId: followingUuid(call.context.commandId, `${asked.type} ${id}`),
      causationId: causationOf(cause),
    };
    return this.execute(it, id, asked, context, undefined);
  }

  /** As `also`, for what may have been undone since the request was tried before: each try asks now, and for itself. */
  anew<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    id: string,
    asked: Asked<C>,
    call: Call,
    cause?: Handled<unknown>,
  ): Promise<Handled<S>> {
    const { repeatable: _, isRetaken: __, ...context } = call.context;
    const own = { ...context, commandId: uuidv7(), causationId: causationOf(cause) };
    return this.execute(it, id, asked, own, undefined);
  }

  /** The thing as the log has it now. */
  load<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    workspace: string,
    id: string,
  ): Promise<Loaded<S>> {
    return this.engines.commands.load(it, workspace, id);
  }

  /** Whether the command of this request is in the log already: then nothing is checked again that may have changed since. */
  async isDone({ category }: { readonly category: string }, id: string, call: Call): Promise<boolean> {
    if (!call.isRetaken) return false;
    const events = await readOwn(this.engines.store, streamName(category, call.workspace, id));
    return events.some(({ metadata }) => metadata.commandId === call.context.commandId);
  }

  /** The revision that If-Match asks for. Of several it is the present one, if that is among them: a thing has one at a time. */
  private async expected<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    id: string,
    { workspace, expected }: Call,
  ): Promise<number | undefined> {
    if (expected === undefined || expected.length === 1) return expected?.[0];
    const { revision } = await this.load(it, workspace, id);
    return expected.includes(revision) ? revision : expected[0];
  }

  private execute<C extends CommandBase, E extends Message, S>(
    it: Aggregate<C, E, S>,
    id: string,
    asked: Asked<C>,
    context: CommandContext,
    expected: number | undefined,
  ): Promise<Handled<S>> {
    const command = { ...asked, at: context.at, actor: context.actor };
    return this.bus.execute(new Run(it as unknown as Aggregate, id, command, context, expected)) as Promise<Handled<S>>;
  }
}

/** What a further command of a request followed from: the first event of the one before it. */
function causationOf(cause: Handled<unknown> | undefined): string | null {
  const [first] = cause?.events ?? [];
  return first ? publicEventId(first.id) : null;
}
