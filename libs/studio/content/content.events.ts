import { byActor, type EventSchemas, type Message, type Personal } from '#kernel';

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
        readonly reasons: Personal<readonly string[]>;
      }
    >;

export const contentEvents: EventSchemas<ContentEvent> = {
  ContentCulturallyAdapted: { version: 1 },
  ContentCulturalReviewRequired: { version: 1, personal: { reasons: byActor } },
};
