import { accountAggregate } from '#accounts';
import type { CommandContext, CommandHandler } from '#event-store';
import type { Instant } from '#kernel';
import { campaignAggregate, postAggregate, type CampaignCommand, type PostOutcome } from '#publishing';

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

interface OfPost {
  readonly campaignId: string;
  readonly postId: string;
}

const toCampaign = <More extends object>(command: (payload: OfPost & More, at: Instant) => CampaignCommand): Owed =>
  owe<OfPost & More>((commands, payload, context) =>
    commands.handle(campaignAggregate, payload.campaignId, command(payload, context.at), context),
  );

/** By the kind of timer: the command, and the thing it goes to. Each decider ignores what no longer applies. */
export const owedCommands = {
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
  campaign_post_added: toCampaign(({ campaignId, postId }, at) => ({ type: 'AddPost', ...by(at), campaignId, postId })),
  campaign_post_removed: toCampaign(({ campaignId, postId }, at) => ({
    type: 'RemovePost',
    ...by(at),
    campaignId,
    postId,
  })),
  campaign_post_settled: toCampaign<{ outcome: PostOutcome; round: number; sourceEventId: string }>(
    ({ campaignId, postId, outcome, round, sourceEventId }, at) => ({
      type: 'RecordPostSettled',
      ...by(at),
      campaignId,
      postId,
      outcome,
      round,
      sourceEventId,
    }),
  ),
  campaign_post_reopened: toCampaign<{ round: number }>(({ campaignId, postId, round }, at) => ({
    type: 'ReopenPost',
    ...by(at),
    campaignId,
    postId,
    round,
  })),
  campaign_reservation: owe<OfPost>(async (commands, { campaignId, postId }, context) => {
    // Who is so far behind may not have heard yet of a post that was scheduled in time: its place is not given up before.
    const { state } = await commands.load(postAggregate, context.workspace, postId);
    if (state.status !== 'absent' && state.campaignId === campaignId) return;
    const command = { type: 'LeaveCampaign', ...by(context.at), campaignId, postId, request: null } as const;
    await commands.handle(campaignAggregate, campaignId, command, context);
  }),
} satisfies Readonly<Record<string, Owed>>;

/** What a policy may owe. */
export type TimerKind = keyof typeof owedCommands;
