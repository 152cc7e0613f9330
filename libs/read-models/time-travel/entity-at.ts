import { accountAggregate } from '#accounts';
import { readOwn, streamName, upcastBy, type EventStore, type RecordedEvent } from '#event-store';
import { fold, type Aggregate, type CommandBase, type Instant, type Message } from '#kernel';
import { campaignAggregate, postAggregate } from '#publishing';
import * as studio from '#studio';
import { deliveryAggregate, endpointAggregate } from '#webhooks';
import * as workspaces from '#workspace';
import { presentAccount } from '../accounts/accounts.view';
import { presentAsset } from '../assets/assets.view';
import { presentCampaign } from '../campaigns/campaigns.view';
import { presentContent } from '../content/content.view';
import { presentDesign } from '../designs/designs.view';
import { presentGallery } from '../galleries/galleries.view';
import { takeIn, type KeyedView } from '../keyed/keyed-view';
import { presentMedia } from '../media/media.view';
import { presentOperation } from '../operations/operations.view';
import { presentPost } from '../posts/posts.view';
import { presentRegion } from '../regions/regions.view';
import { presentSubscription } from '../subscription/subscription.view';
import { invitationsView } from '../team/invitations.view';
import { membersView } from '../team/members.view';
import { presentEndpoint } from '../webhook-endpoints/webhook-endpoints.view';

/** A thing as it stood at a time. */
export interface EntityAt {
  readonly entityType: string;
  readonly id: string;
  readonly at: Instant;
  readonly revision: number;
  /** Shaped as its GET. */
  readonly state: object;
}

/** The state after some events, shaped as the GET at `at`; undefined when there was nothing to get. */
type Past = (events: readonly RecordedEvent[], id: string, at: Instant) => object | undefined;

function past<C extends CommandBase, E extends Message, S>(
  it: Aggregate<C, E, S>,
  show: (state: S, id: string, at: Instant) => object | undefined,
): [category: string, past: Past] {
  return [
    it.category,
    (events, id, at) => show(fold(it.decider, upcast(it, events) as readonly unknown[] as readonly E[]), id, at),
  ];
}

const upcast = <C extends CommandBase, E extends Message, S>(
  it: Aggregate<C, E, S>,
  events: readonly RecordedEvent[],
) => events.map((event) => upcastBy(it.events[event.type as E['type']], event));

/** A thing that is absent is not shown. */
const thing = <C extends CommandBase, E extends Message, S extends { readonly status: string }>(
  it: Aggregate<C, E, S>,
  show: (state: Exclude<S, { readonly status: 'absent' }>) => object,
): [category: string, past: Past] =>
  past(it, (state) =>
    state.status === 'absent' ? undefined : show(state as Exclude<S, { readonly status: 'absent' }>),
  );

/** All that a stream tells of, newest first, as in its list. */
function listed<Row extends object, Shown extends object>(
  view: KeyedView<Row, Shown>,
  events: readonly RecordedEvent[],
): Shown[] {
  const rows = new Map<string, Row>();
  for (const event of events) takeIn(view, rows, event);
  return [...rows].reverse().map(([id, row]) => view.present(row, id));
}

const pasts: ReadonlyMap<string, Past> = new Map([
  thing(postAggregate, presentPost),
  thing(campaignAggregate, presentCampaign),
  thing(accountAggregate, presentAccount),
  thing(studio.mediaAggregate, presentMedia),
  thing(studio.operationAggregate, presentOperation),
  thing(studio.designAggregate, presentDesign),
  thing(studio.assetAggregate, presentAsset),
  thing(studio.galleryAggregate, presentGallery),
  thing(studio.contentAggregate, presentContent),
  thing(studio.regionAggregate, presentRegion),
  [
    workspaces.teamAggregate.category,
    (past) => {
      const events = upcast(workspaces.teamAggregate, past);
      return { members: listed(membersView, events), invitations: listed(invitationsView, events) };
    },
  ],
  past(workspaces.subscriptionAggregate, (subscription, _, at) => presentSubscription(subscription, at)),
  thing(workspaces.workspaceAggregate, ({ workspaceId, name }) => ({ id: workspaceId, name })),
  thing(workspaces.apiKeyAggregate, ({ keyId, name, scopes, kind, expiresAt, status }) => ({
    id: keyId,
    name,
    scopes,
    kind,
    expiresAt,
    status,
  })),
  thing(workspaces.subjectAggregate, ({ subjectId }) => ({ id: subjectId, erased: true })),
  past(endpointAggregate, (endpoint) => (endpoint.status === 'registered' ? presentEndpoint(endpoint) : undefined)),
  past(deliveryAggregate, ({ status, attempts }, id) => ({ id, status, attempts })),
]);

/**
 * A thing as it stood at `at`, folded from the log; undefined before it existed, after it was deleted, and for a type that
 * there is not. Rejects as `readOwn` does.
 */
export async function entityAt(
  store: EventStore,
  workspace: string,
  entityType: string,
  id: string,
  at: Instant,
): Promise<EntityAt | undefined> {
  const show = pasts.get(entityType);
  if (!show) return undefined;
  const events = await readOwn(store, streamName(entityType, workspace, id));
  const until = events.slice(0, events.findLastIndex(({ metadata }) => metadata.occurredAt <= at) + 1);
  const last = until.at(-1);
  const state = last && show(until, id, at);
  return state && { entityType, id, at, revision: last.revision, state };
}
