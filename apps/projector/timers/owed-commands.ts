import { accountAggregate } from '#accounts';
import type { CommandContext, CommandHandler } from '#event-store';
import type { Instant } from '#kernel';
import { postAggregate } from '#publishing';

const SYSTEM = 'system';

/** Sends the command that a timer owes. */
export type Owed = (commands: CommandHandler, payload: object, context: CommandContext) => Promise<unknown>;

const by = (at: Instant) => ({ at, actor: SYSTEM });

const owe =
  <Payload extends object>(
    send: (commands: CommandHandler, payload: Payload, context: CommandContext) => Promise<unknown>,
  ): Owed =>
  (commands, payload, context) =>
    send(commands, payload as Payload, context);

/** By the kind of timer: the command, and the thing it goes to. Each decider ignores what no longer applies. */
export const owedCommands: Readonly<Record<string, Owed>> = {
  post_due: owe<{ postId: string }>((commands, { postId }, context) =>
    commands.handle(postAggregate, postId, { type: 'MarkPostDue', ...by(context.at) }, context),
  ),
  destination_due: owe<{ postId: string; destinationId: string; attempt: number }>(
    (commands, { postId, destinationId, attempt }, context) =>
      commands.handle(
        postAggregate,
        postId,
        { type: 'MarkDestinationDue', ...by(context.at), destinationId, attempt },
        context,
      ),
  ),
  credential_expiring: owe<{ accountId: string; expiresAt: Instant }>((commands, { accountId, expiresAt }, context) =>
    commands.handle(
      accountAggregate,
      accountId,
      { type: 'MarkCredentialExpiring', ...by(context.at), expiresAt },
      context,
    ),
  ),
  credential_expired: owe<{ accountId: string; expiresAt: Instant }>((commands, { accountId, expiresAt }, context) =>
    commands.handle(
      accountAggregate,
      accountId,
      { type: 'MarkCredentialExpired', ...by(context.at), expiresAt },
      context,
    ),
  ),
};
