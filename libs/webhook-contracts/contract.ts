import type { TSchema } from '@sinclair/typebox';
import type { CoreMessage } from '#public-messages';

/** One message in a contract's words: the bytes that are signed, sent, stored and shown. */
export interface Rendered {
  /** What the receiver de-duplicates by. */
  readonly id: string;
  /** The contract's own name of the type. */
  readonly type: string;
  readonly body: string;
  /** Id of the core message it was made from. */
  readonly coreId: string;
  /** Its place among the messages that the core message became. */
  readonly index: number;
}

export interface RenderOptions {
  /** `dlv_…`: needed where the contract's id is one per delivery. */
  readonly deliveryId?: string;
}

/** How one kind of subscriber wants to be told: data and pure functions, nothing else (docs/decisions/0005). */
export interface Contract {
  readonly name: string;
  /** A released version never changes; a change is a new version in a file of its own. */
  readonly version: number;
  /** Every type a subscriber can ask for. */
  readonly types: readonly string[];
  readonly signature: 'standard-webhooks' | 'post-ez';
  /** Delays after the first attempt, each from the end of the attempt before it. */
  readonly retryDelaysSeconds: readonly number[];
  /** 0.1 is ±10 %. */
  readonly jitter: number;
  /** For the whole exchange. */
  readonly timeoutSeconds: number;
  /** How long a parked delivery is kept; null: until it is replayed or deleted. */
  readonly parkedRetentionDays: number | null;
  /** The id differs per delivery, so the body does too. */
  readonly idPerDelivery: boolean;
  readonly contentType: string;
  /** None when the contract has no words for it; several when it tells one event in several messages. */
  render(message: CoreMessage, options?: RenderOptions): readonly Rendered[];
  /** Headers of the contract beside those that every delivery has. */
  headers(rendered: { readonly type: string; readonly id: string }): Record<string, string>;
  /** JSON Schema (2020-12) of a whole body; undefined for a type that the contract lacks. */
  schemaOf(type: string): TSchema | undefined;
  /** One sentence; undefined for a type that the contract lacks. */
  describe(type: string): string | undefined;
}

/** In seconds, as the delays are. */
export const MINUTE = 60;
export const HOUR = 3600;
