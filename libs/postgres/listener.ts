import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';

const RECONNECT_MS = 250;

/** A connection that waits for something to happen may be silent for as long as it likes, whatever the server makes of silence. */
export const UNHURRIED = 'set idle_session_timeout = 0';

/** `isOwn`: a connection of the same Database sent it. */
export type Hear = (payload: string, isOwn: boolean) => void;

export interface Patience {
  /** A server that has not let us in after so long is tried again. */
  readonly connectMs: number;
  /** A goodbye that was not acknowledged after so long never will be. */
  readonly closingMs: number;
}

/** One connection that listens on any number of channels and comes back by itself. */
export class Listener {
  private readonly channels = new Map<string, Set<Hear>>();
  private client: Client | undefined;
  private connecting: Promise<void> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private queue: Promise<void> = Promise.resolve();
  private ended = false;

  constructor(
    private readonly url: string,
    private readonly onError: (error: Error) => void,
    private readonly isOwn: (processId: number) => boolean,
    private readonly patience: Patience,
  ) {}

  add(channel: string, hear: Hear): () => void {
    const hearers = this.channels.get(channel) ?? new Set();
    const isNew = hearers.size === 0;
    this.channels.set(channel, hearers.add(hear));
    this.connect();
    if (isNew && this.client) this.run(this.client, channel);
    return () => void hearers.delete(hear);
  }

  async end(): Promise<void> {
    this.ended = true;
    clearTimeout(this.retry);
    await Promise.race([this.goodbye(), pause(this.patience.closingMs, undefined, { ref: false })]);
  }

  private async goodbye(): Promise<void> {
    await this.connecting;
    await this.client?.end().catch(this.onError);
  }

  private connect(): void {
    if (this.client || this.connecting || this.ended) return;
    this.connecting = this.open().finally(() => (this.connecting = undefined));
  }

  private async open(): Promise<void> {
    const client = new Client({
      connectionString: this.url,
      application_name: 'postledger listener',
      connectionTimeoutMillis: this.patience.connectMs,
      keepAlive: true,
    });
    client.on('error', this.onError);
    client.on('notification', ({ channel, payload, processId }) =>
      this.channels.get(channel)?.forEach((hear) => hear(payload ?? '', this.isOwn(processId))),
    );
    client.on('end', () => this.lost(client));
    try {
      await client.connect();
      this.client = client;
      for (const channel of this.channels.keys()) this.run(client, channel);
      await this.queue;
      for (const hearers of this.channels.values()) hearers.forEach((hear) => hear('', false));
    } catch (error) {
      this.onError(error as Error);
      this.lost(client);
    }
  }

  /** One statement after the other: a client must not be asked while it answers. */
  private run(client: Client, channel: string): void {
    this.queue = this.queue
      .then(() => client.query(`${UNHURRIED}; listen "${channel}"`))
      .then(() => undefined, this.onError);
  }

  private lost(client: Client): void {
    if (this.client && this.client !== client) return;
    this.client = undefined;
    if (this.ended) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.connect(), RECONNECT_MS);
  }
}
