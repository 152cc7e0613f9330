import { MINUTE, type Personal } from '#kernel';
import { postAggregate, type ExistingPost } from '#publishing';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

/** A post as `GET /posts/:id` answers (API.md). */
export interface PostView {
  readonly id: string;
  readonly status: ExistingPost['status'];
  readonly profileId: string;
  readonly content: { readonly text: Personal; readonly mediaIds: readonly string[] };
  readonly scheduledAt: string;
  readonly campaignId: string | null;
  readonly destinations: readonly {
    readonly id: string;
    readonly accountId: string;
    readonly platform: string;
    readonly status: string;
  }[];
}

/** The outcome per destination, as `GET /posts/:id/results` answers. */
export interface PostResultsView {
  readonly postId: string;
  readonly status: ExistingPost['status'];
  readonly destinations: readonly {
    readonly id: string;
    readonly platform: string;
    readonly accountId: string;
    readonly status: string;
    readonly url?: string;
    readonly platformPostId?: string;
    /** A sentence. */
    readonly error?: string;
    readonly errorCode?: string;
    readonly attempts: number;
  }[];
}

export const presentPost = ({
  postId,
  status,
  profileId,
  content,
  scheduledAt,
  campaignId,
  destinations,
}: ExistingPost): PostView => ({
  id: postId,
  status,
  profileId,
  content: { text: content.text, mediaIds: content.mediaIds },
  scheduledAt,
  campaignId,
  destinations: destinations.map(({ id, accountId, platform, status }) => ({ id, accountId, platform, status })),
});

/** The newest outcome of each destination; an error stands beside a destination that is tried again. */
export const presentPostResults = ({ postId, status, destinations }: ExistingPost): PostResultsView => ({
  postId,
  status,
  destinations: destinations.map((it) => {
    const last = it.outcomes.at(-1);
    const outcome = !last
      ? {}
      : last.ok
        ? { url: last.url, platformPostId: last.platformPostId }
        : { error: last.error, errorCode: last.errorCode };
    return {
      id: it.id,
      platform: it.platform,
      accountId: it.accountId,
      status: it.status,
      ...outcome,
      attempts: it.attempts,
    };
  }),
});

export const postsView: KeyedView<ExistingPost, PostView> = viewOf(postAggregate, isThere, {
  name: 'posts',
  shape: 1,
  columns: {
    status: { type: 'text', of: ({ status }) => status },
    profile_id: { type: 'text', of: ({ profileId }) => profileId },
    campaign_id: { type: 'text', of: ({ campaignId }) => campaignId },
    scheduled_at: { type: 'timestamptz', of: ({ scheduledAt }) => scheduledAt },
    platforms: { type: 'text[]', of: ({ destinations }) => destinations.map(({ platform }) => platform) },
  },
  filters: {
    status: { column: 'status', how: 'is' },
    profileId: { column: 'profile_id', how: 'is' },
    campaignId: { column: 'campaign_id', how: 'is' },
    platform: { column: 'platforms', how: 'has' },
    from: { column: 'scheduled_at', how: 'from' },
    // Nothing is scheduled further back than a minute; the rest is for clocks that differ.
    to: { column: 'scheduled_at', how: 'to', madeWithinMs: 5 * MINUTE },
  },
  present: presentPost,
});
