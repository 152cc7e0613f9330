import { Injectable } from '@nestjs/common';
import { accountAggregate, ensurePublishable } from '#accounts';
import { DomainError, plus } from '#kernel';
import { campaignAggregate, postAggregate, RESERVATION_MS, type Post } from '#publishing';
import { Commands } from '../commands/commands';
import type { Call } from '../http/call';
import type { SchedulePost } from './posts.dto';

interface Destination {
  readonly accountId: string;
  readonly platform: string;
}

/** Schedules a post after a look at what it names: its accounts, in the log, and its place in a campaign. */
@Injectable()
export class PostScheduling {
  constructor(private readonly commands: Commands) {}

  /** Throws the DomainErrors of post, account and campaign. */
  async schedule(body: SchedulePost, call: Call): Promise<Post> {
    const { profileId, content, scheduledAt = null, campaignId = null } = body;
    const postId = body.id ?? call.newId('pst');
    const destinations = body.destinations.map(({ accountId, platform }, index) => ({
      id: call.newId('dst', index),
      accountId,
      platform,
    }));
    const command = {
      type: 'SchedulePost',
      postId,
      profileId,
      content: { text: content.text, mediaIds: content.mediaIds ?? [] },
      destinations,
      scheduledAt,
      campaignId,
    } as const;
    const schedule = async () => (await this.commands.run(postAggregate, postId, command, call)).state;

    if (await this.commands.isDone(postAggregate, postId, call)) return schedule();
    await this.ensureAccounts(destinations, call.workspace);
    if (campaignId === null) return schedule();

    // The place is taken first, so that the campaign cannot complete without a post that is about to be in it. One that an earlier try took may be given up by now.
    const ofPost = { campaignId, postId, request: call.context.commandId };
    const joined = await this.commands.anew(
      campaignAggregate,
      campaignId,
      { type: 'JoinCampaign', ...ofPost, reservedUntil: plus(call.at, RESERVATION_MS) },
      call,
    );
    try {
      return await schedule();
    } catch (error) {
      // A refusal is certain: the place is free again, unless it was another's or is kept for another of the same id, which the campaign knows. After any other failure the post may stand, and the policy will know.
      if (error instanceof DomainError)
        await this.commands.anew(campaignAggregate, campaignId, { type: 'LeaveCampaign', ...ofPost }, call, joined);
      throw error;
    }
  }

  /** Of several that are refused the first is told, and one that no state of an account would make good before one that may be later. */
  private async ensureAccounts(destinations: readonly Destination[], workspace: string): Promise<void> {
    const looks = await Promise.allSettled(
      destinations.map(async ({ accountId, platform }) => {
        const { state } = await this.commands.load(accountAggregate, workspace, accountId);
        ensurePublishable(state, accountId, platform);
      }),
    );
    const faults = looks.flatMap((look) => (look.status === 'rejected' ? [look.reason as unknown] : []));
    const told =
      faults.find((fault) => !(fault instanceof DomainError)) ??
      faults.find((fault) => fault instanceof DomainError && fault.kind === 'refused') ??
      faults[0];
    if (told !== undefined) throw told;
  }
}
