import { decider, type Command } from '#kernel';
import type { GalleryEvent } from './gallery.events';

export type GalleryCommand = Command<
  'UpdateGallery',
  {
    readonly galleryId: string;
    readonly region: string;
    readonly added: readonly string[];
    readonly removed: readonly string[];
  }
>;

/** Comes into being with its first update. */
export type Gallery =
  | { readonly status: 'absent' }
  | {
      readonly status: 'present';
      readonly galleryId: string;
      readonly region: string;
      readonly items: readonly string[];
    };

export const galleryDecider = decider<GalleryCommand, GalleryEvent, Gallery>({
  initial: { status: 'absent' },
  decide: {
    UpdateGallery: ({ galleryId, region, added, removed }) => [
      { type: 'GalleryUpdated', data: { galleryId, region, added, removed } },
    ],
  },
  evolve: {
    GalleryUpdated: (gallery, { galleryId, region, added, removed }) => {
      const before = gallery.status === 'absent' ? [] : gallery.items;
      const gone = new Set(removed);
      return {
        status: 'present',
        galleryId,
        region,
        items: [...new Set([...before, ...added])].filter((item) => !gone.has(item)),
      };
    },
  },
});
