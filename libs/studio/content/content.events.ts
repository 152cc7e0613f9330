import type { EventSchemas, Message } from '#kernel';

export type ContentEvent =
  | Message<
      'ContentCulturallyAdapted',
      { readonly contentId: string; readonly region: string; readonly locale: string }
    >
  | Message<
      'ContentCulturalReviewRequired',
      {
        readonly contentId: string;
        readonly region: string;
        readonly locale: string;
        readonly reasons: readonly string[];
      }
    >;

export const contentEvents: EventSchemas<ContentEvent> = {
  ContentCulturallyAdapted: { version: 1 },
  ContentCulturalReviewRequired: { version: 1 },
};
