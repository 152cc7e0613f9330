import { hash } from 'node:crypto';
import { SECOND } from '#kernel';
import type { Outcome } from '#publishing';

/** What is due, as the bus says it. */
export interface DueDestination {
  readonly postId: string;
  readonly destinationId: string;
  readonly accountId: string;
  readonly platform: string;
  /** From 1. */
  readonly attempt: number;
}

/** An account as the networks know it. */
export type NetworkAccount =
  { readonly status: 'absent' } | { readonly status: 'connected' | 'disconnected'; readonly username: string | null };

/** How long a network takes whose account's username ends with `.slow`. */
export const SLOW_MS = 3 * SECOND;

const refused = (errorCode: string, error: string, retryable = false): Outcome => ({
  ok: false,
  errorCode,
  error,
  retryable,
});

/** Whether the network takes its time with this account: SLOW_MS from the moment the attempt became due. */
export const isSlow = (account: NetworkAccount): boolean =>
  account.status !== 'absent' && ends(account.username, '.slow');

/** Whether the account is there and its name is not any more. */
export const isErased = (account: NetworkAccount): boolean => account.status !== 'absent' && account.username === null;

/** An erased username ends with nothing. */
const ends = (username: string | null, suffix: string): boolean => username?.endsWith(suffix) ?? false;

/**
 * Plays a social network, by the account's username as test cards do (API.md "Settings"). The same destination and attempt
 * always end the same way, so a report that is made twice is one report.
 */
export function play(account: NetworkAccount, due: DueDestination): Outcome {
  if (account.status === 'absent') return refused('account_unknown', 'The account does not exist');
  if (account.status === 'disconnected') return refused('account_disconnected', 'The account is no longer connected');
  const { username } = account;
  if (ends(username, '.fails')) return refused('token_expired', 'Token expired');
  if (ends(username, '.flaky') && due.attempt === 1)
    return refused('network_unavailable', 'The network did not answer', true);
  const platformPostId = postNumber(due);
  return { ok: true, platformPostId, url: urlOf(due.platform, username, platformPostId) };
}

/** Nineteen digits, like the ids of most networks; the same for every attempt. */
const postNumber = ({ postId, destinationId }: DueDestination): string =>
  hash('sha256', `${postId}\n${destinationId}`, 'buffer').readBigUInt64BE().toString().padStart(19, '1').slice(-19);

const PAGES: Readonly<Record<string, (user: string, id: string) => string>> = {
  bluesky: (user, id) => `https://bsky.app/profile/${user}/post/${id}`,
  facebook: (user, id) => `https://www.facebook.com/${user}/posts/${id}`,
  instagram: (_, id) => `https://www.instagram.com/p/${id}`,
  linkedin: (_, id) => `https://www.linkedin.com/feed/update/urn:li:share:${id}`,
  mastodon: (user, id) => `https://mastodon.social/@${user}/${id}`,
  pinterest: (_, id) => `https://www.pinterest.com/pin/${id}`,
  threads: (user, id) => `https://www.threads.net/@${user}/post/${id}`,
  tiktok: (user, id) => `https://www.tiktok.com/@${user}/video/${id}`,
  x: (user, id) => `https://x.com/${user}/status/${id}`,
  youtube: (_, id) => `https://www.youtube.com/watch?v=${id}`,
};

function urlOf(platform: string, username: string | null, id: string): string {
  const page = Object.hasOwn(PAGES, platform) ? PAGES[platform] : undefined;
  // A platform that is not known here has a host that can never exist (RFC 2606).
  return page
    ? page(encodeURIComponent(username ?? 'unknown'), id)
    : `https://${platform.replaceAll('_', '-')}.example/posts/${id}`;
}
