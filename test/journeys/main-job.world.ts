import { randomUUID } from 'node:crypto';
import { eventually, Receiver, type Received } from '#testing';
import { verifyPostEz, verifyStandard } from '#webhook-signing';
import type { Client } from '../harness/client';
import { Standalone } from '../harness/standalone';

export interface CoreBody {
  readonly id: string;
  readonly type: string;
  readonly createdAt: string;
  readonly data: Record<string, unknown>;
}

export interface Results {
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

export interface Delivery {
  readonly id: string;
  readonly eventId: string;
  readonly sequence: number;
  readonly status: string;
  readonly body: string;
  readonly attempts: readonly { number: number; statusCode?: number }[];
}

/** The running program and a receiver, for all stories; each story takes a workspace and paths of its own. */
export class World {
  private constructor(
    readonly standalone: Standalone,
    readonly receiver: Receiver,
  ) {}

  /** Every ladder, webhooks' (3 days) and publications', is over in seconds. */
  static async open(env: Record<string, string>): Promise<World> {
    const receiver = await Receiver.open();
    try {
      return new World(await Standalone.start({ RETRY_SCALE: '0.00001', ...env }), receiver);
    } catch (error) {
      await receiver.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.standalone.remove();
    await this.receiver.close();
  }

  async workspace(): Promise<{ id: string; client: Client }> {
    const made = await this.standalone
      .client()
      .must<{ id: string; apiKey: string }>(201, 'POST', '/workspaces', { name: 'A story' });
    return { id: made.id, client: this.standalone.client(made.apiKey) };
  }

  /** A path of the receiver that nobody else uses. */
  path = (): string => `/${randomUUID()}`;

  /** Registers an endpoint on a path of its own. */
  async subscriber(client: Client, more: { contract?: string; eventTypes?: string[] } = {}): Promise<Subscriber> {
    const path = this.path();
    const { id, signingSecret } = await client.endpoint(this.receiver.url(path), more);
    return new Subscriber(this.receiver, id, path, more.contract ?? 'core', signingSecret);
  }
}

/** A receiver that verifies every request on its raw bytes before it looks at it. */
export class Subscriber {
  constructor(
    private readonly receiver: Receiver,
    readonly id: string,
    readonly path: string,
    private readonly contract: string,
    private readonly secret: string,
  ) {}

  /** All requests so far, each verified. */
  requests(): Received[] {
    const received = this.receiver.on(this.path);
    for (const { headers, body } of received) this.verify(headers, body);
    return received;
  }

  bodies<T = CoreBody>(): T[] {
    return this.requests().map(({ body }) => JSON.parse(body) as T);
  }

  /** The same by their numbers: only an ordered endpoint is promised that they also come in that order. */
  inSequence(): CoreBody[] {
    const number = ({ headers }: Received) => Number(headers['webhook-sequence']);
    return this.requests()
      .toSorted((one, other) => number(one) - number(other))
      .map(({ body }) => JSON.parse(body) as CoreBody);
  }

  types(): string[] {
    return this.bodies().map(({ type }) => type);
  }

  sequences(): number[] {
    return this.requests().map(({ headers }) => Number(headers['webhook-sequence']));
  }

  /** Waits until exactly these types have come, in any order. */
  async receives(...types: string[]): Promise<void> {
    await eventually(() => expect(this.types().sort()).toEqual([...types].sort()), { within: 60_000 });
  }

  verify(headers: Readonly<Record<string, string | string[] | undefined>>, body: string): void {
    const input = { secret: this.secret, headers, body };
    if (this.contract === 'post-ez') verifyPostEz(input);
    else verifyStandard(input);
  }
}

/** An instant so many milliseconds from now, as the API takes it. */
export const soon = (ms: number): string => new Date(Date.now() + ms).toISOString();

export const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

/** Waits until a post has this status, and gives its results. */
export const settled = (client: Client, postId: string, status: string): Promise<Results> =>
  eventually(
    async () => {
      const { body } = await client.get<Results>(`/posts/${postId}/results`);
      expect(body.status).toBe(status);
      return body;
    },
    { within: 60_000, every: 25 },
  );
