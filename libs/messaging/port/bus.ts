/** A message on the bus: a core message, or one that only Postledger's own apps understand. */
export interface BusMessage {
  /** Public event id, `evt_<uuid>`: what consumers de-duplicate by. */
  readonly id: string;
  /** Core type, `post.published`. */
  readonly type: string;
  /** `postledger.posts.v1` … */
  readonly topic: string;
  /** Entity id within its workspace: messages of one key keep their order. Adapters partition by `workspace` and key. */
  readonly key: string;
  /** CloudEvents attributes (`ce_…`), `content-type`, and extensions; lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text of the message's `data`. */
  readonly value: string;
}

export interface ReceivedMessage extends BusMessage {
  readonly partition: number;
  /** Increases within a partition. */
  readonly offset: number;
}

/** Messages of a batch where a subscription asks for no other bound. */
export const MAX_BATCH = 500;

export interface SubscribeOptions {
  /** Consumer group: each message goes to one member of each group. */
  readonly group: string;
  readonly topics: readonly string[];
  /** At most so many messages a batch (MAX_BATCH); none behind those whose values have PAGE_SIZE characters together. */
  readonly maxBatch?: number;
  /**
   * Handles a batch; messages of one key are in order, and no later batch holding the same key starts before it ends.
   * Acknowledged when it resolves; when it rejects, the same messages come again after a pause.
   * `signal` aborts when the partitions are taken away or the subscription closes.
   */
  readonly onBatch: (messages: readonly ReceivedMessage[], signal: AbortSignal) => Promise<void>;
  readonly onFault?: (error: Error) => void;
  /** A message was parked, because `onBatch` threw a PoisonMessageError for it. */
  readonly onParked?: (message: ReceivedMessage, reason: string) => void;
  /** `earliest` (default) or `latest`: where a group that has never read begins. */
  readonly from?: 'earliest' | 'latest';
  /** Nobody reads on where this group ends: once the last of it has closed, no message is kept for its sake. */
  readonly isPassing?: boolean;
}

/**
 * Thrown by `onBatch` for a message that will never be handled: the adapter parks it with the reason (a dead-letter table or
 * topic) and hands over the rest of the batch again without it.
 */
export class PoisonMessageError extends Error {
  constructor(
    readonly poison: ReceivedMessage,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`Message ${poison.id} (${poison.type}) cannot be handled: ${reason}`, options);
    this.name = 'PoisonMessageError';
  }
}

/** The engine answers and will not have us (a wrong password, a certificate that does not verify): waiting cannot help. */
export class BusRefusedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BusRefusedError';
  }
}

export interface Subscription {
  /** Stops taking batches, waits for the one in hand, gives its partitions up. */
  close(): Promise<void>;
  /** Messages that wait for this group, over all partitions, as last seen. */
  lag(): Promise<number>;
}

/** Publish and subscribe, at least once, ordered per key. Every adapter passes `conformance/`. */
export interface Bus {
  /** Resolves when all are durable, in the given order per key. */
  publish(messages: readonly BusMessage[]): Promise<void>;
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  /** Makes the topics when missing; never changes one that exists. */
  ensureTopics(topics: readonly string[]): Promise<void>;
  /** Rejects, with one sentence, when the engine cannot be reached; with a BusRefusedError when it will not have us. */
  check(): Promise<{ engine: string; version: string }>;
  close(): Promise<void>;
}
