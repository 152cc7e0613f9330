import type { EventSchemas, Message } from '#kernel';

export type GalleryEvent = Message<
  'GalleryUpdated',
  {
    readonly galleryId: string;
    readonly region: string;
    readonly added: readonly string[];
    readonly removed: readonly string[];
  }
>;

export const galleryEvents: EventSchemas<GalleryEvent> = {
  GalleryUpdated: { version: 1 },
};
