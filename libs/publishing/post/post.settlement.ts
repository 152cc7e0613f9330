import type { PostEvent, SettledDestination, Settlement } from './post.events';
import type { DestinationState, ExistingPost } from './post.state';

/** The settling event, as soon as every destination has its final outcome; nothing before. */
export function settlement(post: ExistingPost): readonly PostEvent[] {
  const { postId, campaignId, destinations, round } = post;
  if (!destinations.every(({ status }) => status === 'published' || status === 'failed')) return [];
  const published = destinations.filter(({ status }) => status === 'published').length;
  const total = destinations.length;
  const outcomes = destinations.map((it) => settled(it, round));
  const data: Settlement = { postId, campaignId, published, failed: total - published, total, round, outcomes };
  if (published === total) return [{ type: 'PostPublished', data }];
  return [{ type: published === 0 ? 'PostFailed' : 'PostPartiallyPublished', data }];
}

function settled(
  { id, accountId, platform, outcomes, settledInRound }: DestinationState,
  round: number,
): SettledDestination {
  const of = { destinationId: id, accountId, platform, thisRound: settledInRound === round };
  const last = outcomes.at(-1);
  if (!last) throw new Error(`Destination ${id} settled without an outcome`);
  return last.ok
    ? { ...of, ok: true, platformPostId: last.platformPostId, url: last.url }
    : { ...of, ok: false, error: last.error, errorCode: last.errorCode };
}
