import type { EventSchemas, Message } from '#kernel';

export type MediaEvent =
  | Message<
      'MediaAdded',
      { readonly mediaId: string; readonly kind: string; readonly url: string | null; readonly bytes: number | null }
    >
  | Message<
      'MediaProcessed',
      { readonly mediaId: string; readonly kind: string; readonly url: string; readonly bytes: number }
    >;

export const mediaEvents: EventSchemas<MediaEvent> = {
  MediaAdded: { version: 1 },
  MediaProcessed: { version: 1 },
};
