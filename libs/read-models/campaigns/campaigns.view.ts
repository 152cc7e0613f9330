import { parseStream, type RecordedEvent } from '#event-store';
import { apply } from '#kernel';
import {
  campaignDecider,
  noPosts,
  onlyWith,
  placeOf,
  type CampaignEvent,
  type ExistingCampaign,
  type Place,
  type PostCounts,
} from '#publishing';
import type { KeyedView } from '../keyed/keyed-view';

/** A campaign as `GET /campaigns/:id` answers. Counts are of posts; partial and failed ones count as failed. */
export interface CampaignView {
  readonly id: string;
  readonly name: string;
  readonly profileId: string;
  readonly status: ExistingCampaign['status'];
  readonly total: number;
  readonly settled: number;
  readonly succeeded: number;
  readonly failed: number;
}

/** A campaign and how many posts it has. */
type Counted = Omit<ExistingCampaign, 'posts'> & { readonly posts: PostCounts };

export const presentCampaign = ({ campaignId, name, profileId, status, posts }: Counted): CampaignView => ({
  id: campaignId,
  name,
  profileId,
  status,
  total: posts.total,
  settled: posts.settled,
  succeeded: posts.succeeded,
  failed: posts.settled - posts.succeeded,
});

/** Where one post stands in its campaign: a row of its own (`<campaign>/<post>`), so that a change writes two short rows however many there are. */
interface OfPost {
  /** Null when nothing is left of it. */
  readonly place: Place | null;
}

type CampaignRow = Counted | OfPost;

const isOfPost = (row: CampaignRow): row is OfPost => 'place' in row;

/** The post that an event is about; undefined for one about the campaign alone. */
const postOf = ({ data }: RecordedEvent): string | undefined => (data as { readonly postId?: string }).postId;

function keys(event: RecordedEvent): string[] {
  const { id } = parseStream(event.stream);
  const postId = postOf(event);
  return postId === undefined ? [id] : [id, `${id}/${postId}`];
}

/** The campaign after an event, with the one post known that the event is about: the very fold that decides. */
function after(event: RecordedEvent, campaign: Counted | undefined, place: Place | undefined): ExistingCampaign {
  const posts = onlyWith(campaign?.posts ?? noPosts, postOf(event) ?? '', place);
  const next = apply(
    campaignDecider,
    campaign ? { ...campaign, posts } : campaignDecider.initial,
    event as unknown as CampaignEvent,
  );
  if (next.status === 'absent') throw new Error(`${event.type} at ${event.position} leaves nothing of ${event.stream}`);
  return next;
}

function evolve(
  row: CampaignRow | undefined,
  event: RecordedEvent,
  id: string,
  other: (id: string) => CampaignRow | undefined,
): CampaignRow {
  const [ofCampaign, ofPost] = keys(event);
  const isCampaign = id === ofCampaign;
  const campaign = (isCampaign ? row : other(ofCampaign!)) as Counted | undefined;
  const before = ofPost === undefined ? undefined : ((isCampaign ? other(ofPost) : row) as OfPost | undefined);
  const { posts, ...next } = after(event, campaign, before?.place ?? undefined);
  if (!isCampaign) return { place: placeOf(posts, postOf(event)!) ?? null };
  const { total, settled, succeeded } = posts;
  return { ...next, posts: { total, settled, succeeded } };
}

const NEVER_SHOWN: CampaignView = presentCampaign({
  campaignId: '',
  name: '',
  profileId: '',
  status: 'open',
  posts: noPosts,
});

export const campaignsView: KeyedView<CampaignRow, CampaignView> = {
  name: 'campaigns',
  shape: 3,
  category: 'campaign',
  keys,
  evolve,
  isGone: isOfPost,
  columns: {
    status: { type: 'text', of: (row) => (isOfPost(row) ? null : row.status) },
    profile_id: { type: 'text', of: (row) => (isOfPost(row) ? null : row.profileId) },
  },
  filters: { status: { column: 'status', how: 'is' }, profileId: { column: 'profile_id', how: 'is' } },
  present: (row) => (isOfPost(row) ? NEVER_SHOWN : presentCampaign(row)),
};
