import type { CampaignEvent, PostEvent, SettledDestination, Settlement } from '#publishing';
import { nothing, say, type Mapping } from '../say';
import type { SettledFacts } from '../types/posts';

export const postMessages: Mapping<PostEvent> = {
  PostScheduled: ({ postId, scheduledAt, destinations, profileId }) => [
    say('post.scheduled', {
      postId,
      scheduledAt,
      platforms: [...new Set(destinations.map((to) => to.platform))],
      profileId,
    }),
  ],
  PostRescheduled: ({ postId, scheduledAt, profileId }) => [
    say('post.rescheduled', { postId, scheduledAt, profileId }),
  ],
  PostCancelled: ({ postId, reason, profileId }) => [say('post.cancelled', { postId, reason, profileId })],
  PostPublishingStarted: nothing,
  DestinationDue: ({ postId, destinationId, accountId, platform, attempt, content }) => [
    say('post.destination_due', {
      postId,
      destinationId,
      accountId,
      platform,
      attempt,
      content: { text: content.text, mediaIds: [...content.mediaIds] },
    }),
  ],
  DestinationsHeldOver: nothing,
  DestinationPublished: ({ postId, destinationId, accountId, platform, url, platformPostId }) => [
    say('post.destination_published', { postId, destinationId, accountId, platform, url, platformPostId }),
  ],
  // "Failed" is only ever said after every publication retry is used up (CONTRACTS §2).
  DestinationAttemptFailed: nothing,
  DestinationFailed: ({ postId, destinationId, accountId, platform, error, errorCode, attempts }) => [
    say('post.destination_failed', { postId, destinationId, accountId, platform, error, errorCode, attempts }),
  ],
  PostPublished: ({ postId, published, failed, total }) => [
    say('post.published', { postId, published, failed, total }),
  ],
  PostPartiallyPublished: (settled) => {
    const { postId, published, failed, total, outcomes } = settled;
    const platformResults = platformResultsOf(outcomes);
    return [say('post.partial', { postId, published, failed, total, platformResults }, { facts: factsOf(settled) })];
  },
  PostFailed: (settled) => {
    const { postId, outcomes } = settled;
    const reason = 'All platforms rejected the post';
    return [
      say('post.failed', { postId, reason, platformResults: platformResultsOf(outcomes) }, { facts: factsOf(settled) }),
    ];
  },
  PostRetried: nothing,
};

export const campaignMessages: Mapping<CampaignEvent> = {
  CampaignCreated: nothing,
  CampaignPostJoined: nothing,
  CampaignPostReleased: nothing,
  CampaignPostConfirmed: nothing,
  CampaignPostLeft: nothing,
  CampaignPostReopened: nothing,
  CampaignProgressed: ({ campaignId, settled, total, succeeded }) => [
    say('campaign.progressed', { campaignId, settled, total, succeeded }),
  ],
  CampaignClosed: nothing,
  CampaignCompleted: ({ campaignId, totalPosts, successCount, failedCount }) => [
    say('campaign.completed', { campaignId, totalPosts, successCount, failedCount }),
  ],
};

type PlatformResult = { ok: true; platformPostId: string } | { ok: false; error: string };

/** Of several destinations on one platform the first has the platform's own key, so that no outcome is lost (CONTRACTS §2). */
function platformResultsOf(outcomes: readonly SettledDestination[]): Record<string, PlatformResult> {
  const results: Record<string, PlatformResult> = {};
  for (const { platform, accountId, ok, platformPostId, error } of outcomes) {
    const key = Object.hasOwn(results, platform) ? `${platform}:${accountId}` : platform;
    results[key] = ok ? { ok, platformPostId: platformPostId ?? '' } : { ok, error: error ?? '' };
  }
  return results;
}

/** After a retry only the destinations of that round are announced again. */
const factsOf = ({ published, total, outcomes }: Settlement): SettledFacts => ({
  published,
  total,
  failed: outcomes
    .filter(({ ok, thisRound }) => !ok && thisRound)
    .map(({ destinationId, platform, error }) => ({ destinationId, platform, error: error ?? '' })),
});
