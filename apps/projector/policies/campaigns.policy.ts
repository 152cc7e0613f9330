import type { Instant } from '#kernel';
import type { PostOutcome, Settlement } from '#publishing';
import type { TimerKind } from '../timers/owed-commands';
import type { Policy, Step, When } from './policy';

interface OfCampaign {
  readonly postId: string;
  readonly campaignId: string | null;
}

/** Tells the post's campaign, if it has one, at once. */
const tell = (
  kind: TimerKind,
  { postId, campaignId }: OfCampaign,
  at: Instant,
  more: object = {},
  name = postId,
): readonly Step[] =>
  campaignId === null
    ? []
    : [
        {
          set: {
            kind,
            name: `${campaignId}/${name}`,
            target: campaignId,
            dueAt: at,
            payload: { campaignId, postId, ...more },
          },
        },
      ];

const settled =
  (outcome: PostOutcome) =>
  (settlement: Settlement, { at, eventId }: When): readonly Step[] => {
    const { round, postId } = settlement;
    return tell(
      'campaign_post_settled',
      settlement,
      at,
      { outcome, round, sourceEventId: eventId },
      `${postId}/${round}`,
    );
  };

const noReservation = ({ campaignId, postId }: { campaignId: string; postId: string }): readonly Step[] => [
  { clear: { kind: 'campaign_reservation', name: `${campaignId}/${postId}` } },
];

/** What becomes of a post reaches its campaign; a place that was reserved for a post that never came is given up. */
export const campaignsPolicy = {
  PostScheduled: (post, { at }) => tell('campaign_post_added', post, at),
  PostCancelled: (post, { at }) => tell('campaign_post_removed', post, at),
  PostRetried: (post, { at }) =>
    tell('campaign_post_reopened', post, at, { round: post.round }, `${post.postId}/${post.round}`),
  PostPublished: settled('published'),
  PostPartiallyPublished: settled('partial'),
  PostFailed: settled('failed'),
  CampaignPostJoined: ({ campaignId, postId, reservedUntil }) =>
    reservedUntil === null
      ? []
      : [
          {
            set: {
              kind: 'campaign_reservation',
              name: `${campaignId}/${postId}`,
              target: campaignId,
              dueAt: reservedUntil,
              payload: { campaignId, postId },
            },
          },
        ],
  CampaignPostConfirmed: noReservation,
  CampaignPostLeft: noReservation,
} satisfies Policy;
