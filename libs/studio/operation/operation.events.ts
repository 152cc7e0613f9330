import type { EventSchemas, Message } from '#kernel';

export const OPERATION_KINDS = [
  'image',
  'video',
  'batch',
  'location_content',
  'location_recommendations',
  'campaign_generation',
] as const;
export type OperationKind = (typeof OPERATION_KINDS)[number];

export interface OperationError {
  readonly code: string;
  readonly message: string;
  readonly detail: string | null;
}

/** What every event of an operation repeats, so that each can be told without the others. */
interface OfOperation {
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly region: string | null;
  /** Only a campaign generation has one. */
  readonly campaignId: string | null;
}

export type OperationEvent =
  | Message<'OperationStarted', OfOperation & { readonly total: number | null }>
  | Message<
      'OperationProgressed',
      OfOperation & { readonly done: number; readonly failed: number; readonly total: number }
    >
  | Message<
      'OperationCompleted',
      OfOperation & {
        readonly url: string | null;
        /** Always there for `location_content`. */
        readonly contentId: string | null;
        /** Always there for `location_recommendations`. */
        readonly contentIds: readonly string[] | null;
        /** Always there for `campaign_generation`. */
        readonly assets: readonly string[] | null;
      }
    >
  | Message<'OperationFailed', OfOperation & { readonly error: OperationError }>;

export const operationEvents: EventSchemas<OperationEvent> = {
  OperationStarted: { version: 1 },
  OperationProgressed: { version: 1 },
  OperationCompleted: { version: 1 },
  OperationFailed: { version: 1 },
};
