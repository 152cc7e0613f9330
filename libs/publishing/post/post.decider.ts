import { apply, decider, millis, MINUTE, plus, type Instant } from '#kernel';
import type { Outcome, PostCommand } from './post.commands';
import { ensure, fail } from './post.errors';
import type { Content, PostEvent } from './post.events';
import { settlement } from './post.settlement';
import { evolvePost, type DestinationState, type ExistingPost, type Post } from './post.state';

const MAX_DESTINATIONS = 50;
/** API.md: a time to publish at may lie so far back, for clocks differ and requests take time. */
const LATENESS_MS = MINUTE;
/** Bytes that may become due in one append, each destination with the content of its own: EventStoreDB takes a mebibyte. */
const MAX_DUE_BYTES = 900_000;
/** Of one destination, beside the content: its ids and what is known of the event. */
const DUE_BYTES = 1_500;

export const postDecider = decider<PostCommand, PostEvent, Post>({
  initial: { status: 'absent' },
  decide: {
    SchedulePost: ({ at, postId, profileId, content, destinations, scheduledAt, campaignId }, post) => {
      ensure(post.status === 'absent', 'POST_ALREADY_EXISTS');
      const accounts = new Set(destinations.map(({ accountId }) => accountId));
      ensure(
        accounts.size === destinations.length && accounts.size >= 1 && accounts.size <= MAX_DESTINATIONS,
        'POST_DESTINATIONS_INVALID',
      );
      if (scheduledAt) ensureNotPassed(scheduledAt, at);
      return [
        {
          type: 'PostScheduled',
          data: { postId, profileId, content, destinations, scheduledAt: scheduledAt ?? at, campaignId },
        },
      ];
    },

    ReschedulePost: ({ at, scheduledAt }, state) => {
      const post = found(state);
      ensure(post.status === 'scheduled', 'POST_NOT_RESCHEDULABLE', `The post is ${post.status}.`);
      ensureNotPassed(scheduledAt, at);
      const { postId, profileId, scheduledAt: previousScheduledAt, destinations } = post;
      const platforms = [...new Set(destinations.map(({ platform }) => platform))];
      return [{ type: 'PostRescheduled', data: { postId, profileId, scheduledAt, previousScheduledAt, platforms } }];
    },

    CancelPost: ({ reason }, state) => {
      const post = found(state);
      ensure(post.status === 'scheduled', 'POST_NOT_CANCELLABLE', `The post is ${post.status}.`);
      const { postId, profileId, campaignId } = post;
      return [{ type: 'PostCancelled', data: { postId, profileId, reason, campaignId } }];
    },

    MarkPostDue: ({ at }, post) => {
      if (post.status === 'absent') return [];
      return post.status === 'publishing' ? dueTogether(post, post.destinations.filter(isHeldOver)) : start(post, at);
    },

    MarkDestinationDue: ({ at, destinationId, attempt }, post) => {
      if (post.status !== 'publishing') return [];
      const it = post.destinations.find(({ id }) => id === destinationId);
      return it && it.attempts + 1 === attempt ? tryAgain(post, it, at) : [];
    },

    ReportOutcome: (command, state) => {
      const { at, destinationId, attempt, outcome, retryDelaysMs } = command;
      const post = found(state);
      ensure(
        post.destinations.some(({ id }) => id === destinationId),
        'DESTINATION_NOT_FOUND',
      );
      // Due by the clock is due: a publisher that is faster than the timer is not sent away.
      const begun = begin(post, destinationId, at);
      const now = after(post, begun);
      const destination = now.destinations.find(({ id }) => id === destinationId)!;
      if (isKnown(now, destination, attempt, outcome)) return [];
      const reported = outcomeOf(now.postId, destination, outcome, at, retryDelaysMs);
      return [...begun, reported, ...settlement(after(now, [reported]))];
    },

    RetryPost: ({ destinationIds }, state) => {
      const post = found(state);
      const failed = post.destinations.filter(({ status }) => status === 'failed');
      const named = new Set(destinationIds);
      for (const id of named) {
        const it = post.destinations.find((destination) => destination.id === id);
        ensure(it, 'DESTINATION_NOT_FOUND', `The post has no destination ${id}.`);
        ensure(it.status === 'failed', 'DESTINATION_NOT_FAILED', `Destination ${id} is ${it.status}.`);
      }
      ensure(failed.length > 0, 'NOTHING_TO_RETRY');
      ensure(post.status !== 'publishing', 'POST_STILL_PUBLISHING');
      const retried = named.size === 0 ? failed : failed.filter(({ id }) => named.has(id));
      const ids = retried.map(({ id }) => id);
      return [
        {
          type: 'PostRetried',
          data: { postId: post.postId, campaignId: post.campaignId, destinationIds: ids, round: post.round + 1 },
        },
        ...dueTogether(post, retried),
      ];
    },
  },
  evolve: evolvePost,
});

function found(post: Post): ExistingPost {
  if (post.status === 'absent') throw fail('POST_NOT_FOUND');
  return post;
}

function ensureNotPassed(scheduledAt: Instant, at: Instant): void {
  ensure(
    millis(scheduledAt) >= millis(at) - LATENESS_MS,
    'PUBLISH_TIME_PASSED',
    `${scheduledAt} has passed; it is ${at}.`,
  );
}

const after = (post: ExistingPost, events: readonly PostEvent[]): ExistingPost =>
  found(events.reduce<Post>((state, event) => apply(postDecider, state, event), post));

const due = (
  { postId, content }: ExistingPost,
  { id, accountId, platform, attempts }: DestinationState,
): PostEvent => ({
  type: 'DestinationDue',
  data: { postId, destinationId: id, accountId, platform, attempt: attempts + 1, content },
});

/** These destinations become due: as many as one append takes, and the others next. */
function dueTogether(post: ExistingPost, destinations: readonly DestinationState[]): readonly PostEvent[] {
  const most = Math.max(1, Math.floor(MAX_DUE_BYTES / (DUE_BYTES + bytesOf(post.content))));
  const now = destinations.slice(0, most).map((it) => due(post, it));
  return destinations.length > most ? [...now, { type: 'DestinationsHeldOver', data: { postId: post.postId } }] : now;
}

/** At most: a character of a text is three bytes or fewer, and what is sealed is ASCII. */
const bytesOf = ({ text, mediaIds }: Content): number =>
  (typeof text === 'string' ? 3 * text.length : text.$sealed.length) + mediaIds.join().length;

/** Once publishing has begun, pending is what has not become due yet in this round. */
const isHeldOver = ({ status }: DestinationState): boolean => status === 'pending';

/** Begins publishing once the time has come; nothing before, or when it has begun or been cancelled. */
const start = (post: ExistingPost, at: Instant): readonly PostEvent[] =>
  post.status === 'scheduled' && at >= post.scheduledAt
    ? [{ type: 'PostPublishingStarted', data: { postId: post.postId } }, ...dueTogether(post, post.destinations)]
    : [];

/** The next attempt of a destination that waits for it, once its time has come. */
const tryAgain = (post: ExistingPost, it: DestinationState, at: Instant): readonly PostEvent[] =>
  it.retryAt !== null && at >= it.retryAt ? [due(post, it)] : [];

/** What the clock has made due before a report is looked at; a destination that was held over need not wait for the others. */
function begin(post: ExistingPost, destinationId: string, at: Instant): readonly PostEvent[] {
  const started = start(post, at);
  const now = after(post, started);
  const it = now.destinations.find(({ id }) => id === destinationId)!;
  return [...started, ...(now.status === 'publishing' && isHeldOver(it) ? [due(now, it)] : tryAgain(now, it, at))];
}

/** True for a repeat of what was reported; throws when nothing is due or another outcome stands. */
function isKnown(post: ExistingPost, it: DestinationState, attempt: number | null, outcome: Outcome): boolean {
  ensure(post.status !== 'scheduled' && post.status !== 'cancelled', 'POST_NOT_DUE', `The post is ${post.status}.`);
  const number = attempt ?? it.attempts;
  ensure(
    number >= 1 && number <= it.attempts,
    'POST_NOT_DUE',
    it.retryAt ? `Attempt ${it.attempts + 1} is due at ${it.retryAt}.` : `Attempt ${number} is not due.`,
  );
  const before = it.outcomes[number - 1];
  if (!before) return false;
  if (isSame(before, outcome)) return true;
  ensure(attempt !== null || it.retryAt === null, 'POST_NOT_DUE', `The next attempt is due at ${it.retryAt}.`);
  throw fail('OUTCOME_CONTRADICTED');
}

const isSame = (one: Outcome, other: Outcome): boolean =>
  one.ok
    ? other.ok && one.platformPostId === other.platformPostId && one.url === other.url
    : !other.ok && one.errorCode === other.errorCode && one.error === other.error && one.retryable === other.retryable;

function outcomeOf(
  postId: string,
  it: DestinationState,
  outcome: Outcome,
  at: Instant,
  retryDelaysMs: readonly number[],
): PostEvent {
  const of = { postId, destinationId: it.id, accountId: it.accountId, platform: it.platform };
  if (outcome.ok) {
    const { platformPostId, url } = outcome;
    return { type: 'DestinationPublished', data: { ...of, attempt: it.attempts, platformPostId, url } };
  }
  const { error, errorCode, retryable } = outcome;
  const pause = retryable ? retryDelaysMs[it.attempts - it.earlierAttempts - 1] : undefined;
  return pause === undefined
    ? { type: 'DestinationFailed', data: { ...of, attempts: it.attempts, error, errorCode, retryable } }
    : {
        type: 'DestinationAttemptFailed',
        data: { ...of, attempt: it.attempts, error, errorCode, retryAt: plus(at, pause) },
      };
}
