import { Receiver } from '#testing';
import type { Answer, Client } from '../harness/client';
import { Standalone } from '../harness/standalone';

export interface Post {
  readonly id: string;
  readonly status: string;
  readonly scheduledAt: string;
  readonly destinations: readonly { id: string; accountId: string; platform: string; status: string }[];
}
export interface Results {
  readonly postId: string;
  readonly status: string;
  readonly destinations: readonly {
    id: string;
    status: string;
    attempts: number;
    url?: string;
    error?: string;
    errorCode?: string;
  }[];
}
export interface Message {
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

export const LATER = '2035-06-01T12:00:00Z';
const SCALE = 0.015;
/** The core's own ladder, one and five minutes, in these runs. */
export const PAUSES = [60_000 * SCALE, 300_000 * SCALE] as const;

export const ONE = { accountId: 'acct_one', platform: 'instagram' };
export const TWO = { accountId: 'acct_two', platform: 'linkedin' };
export const THREE = { accountId: 'acct_three', platform: 'instagram' };

export const PUBLISHED = { outcome: 'published', platformPostId: '17', url: 'https://instagram.example/17' };
export const REFUSED = {
  outcome: 'failed',
  error: { code: 'token_expired', message: 'Token expired' },
  retryable: false,
};
export const HICCUP = { outcome: 'failed', error: { code: 'busy', message: 'Try later' }, retryable: true };

export const draft = (more: object = {}) => ({
  profileId: 'prof_1',
  content: { text: 'We are live.' },
  destinations: [ONE],
  ...more,
});
export const code = ({ status, body }: Answer<object>): unknown[] => [status, (body as { code?: string }).code];

/** The running program without a publisher, for one who reports outcomes by hand. */
export class Desk {
  private constructor(
    readonly standalone: Standalone,
    readonly receiver: Receiver,
    readonly api: Client,
  ) {}

  /** Accounts `one`, `two`, `three` are connected, `gone` was. */
  static async open(): Promise<Desk> {
    const receiver = await Receiver.open();
    const standalone = await Standalone.start({ PUBLISHER: 'none', RETRY_SCALE: String(SCALE) });
    const api = standalone.client();
    for (const [id, platform] of Object.entries({ one: 'instagram', two: 'linkedin', three: 'instagram', gone: 'x9_' }))
      await api.must(201, 'POST', '/accounts', { id: `acct_${id}`, platform, username: id, profileId: 'prof_1' });
    await api.must(200, 'POST', '/accounts/acct_gone/disconnect', { reason: 'left' });
    return new Desk(standalone, receiver, api);
  }

  async close(): Promise<void> {
    await this.standalone.remove();
    await this.receiver.close();
  }

  async workspace(): Promise<Client> {
    const { apiKey } = await this.api.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Another' });
    return this.standalone.client(apiKey);
  }

  schedule = (more: object = {}): Promise<Post> => this.api.must<Post>(201, 'POST', '/posts', draft(more));
  results = (id: string): Promise<Results> => this.api.must<Results>(200, 'GET', `/posts/${id}/results`);
  revision = async (id: string): Promise<string | null> => (await this.api.get(`/posts/${id}`)).headers.get('etag');
  report = (post: Post, index: number, outcome: object): Promise<Answer> =>
    this.api.post(`/posts/${post.id}/destinations/${post.destinations[index]!.id}/outcome`, outcome);

  /** A post in each status that a post can have. */
  async inEveryStatus(): Promise<Record<string, Post>> {
    const both = { destinations: [ONE, TWO] };
    const scheduled = await this.schedule({ scheduledAt: LATER });
    const cancelled = await this.schedule({ scheduledAt: LATER });
    const [publishing, published, partial, failed] = await Promise.all(
      Array.from({ length: 4 }, () => this.schedule(both)),
    );
    await this.report(publishing!, 0, PUBLISHED);
    for (const index of [0, 1]) {
      await this.report(published!, index, PUBLISHED);
      await this.report(partial!, index, index === 0 ? PUBLISHED : REFUSED);
      await this.report(failed!, index, REFUSED);
    }
    await this.api.must(200, 'POST', `/posts/${cancelled.id}/cancel`, { reason: 'Changed our mind' });
    const all = { scheduled, publishing, published, partial, failed, cancelled } as Record<string, Post>;
    for (const [status, { id }] of Object.entries(all))
      expect((await this.api.get(`/posts/${id}`)).body['status']).toBe(status);
    return all;
  }
}
