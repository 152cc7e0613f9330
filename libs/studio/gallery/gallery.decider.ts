import { decider, type Command } from '#kernel';
import { ensure } from './gallery.errors';
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

/** It is one row and one answer, which every update writes and reads whole. */
const MOST_ITEMS = 10_000;

export const galleryDecider = decider<GalleryCommand, GalleryEvent, Gallery>({
  initial: { status: 'absent' },
  decide: {
    UpdateGallery: ({ galleryId, region, added, removed }, gallery) => {
      const before = itemsOf(gallery);
      const { length } = updated(before, added, removed);
      ensure(length <= Math.max(MOST_ITEMS, before.length), 'GALLERY_FULL');
      return [{ type: 'GalleryUpdated', data: { galleryId, region, added, removed } }];
    },
  },
  evolve: {
    GalleryUpdated: (gallery, { galleryId, region, added, removed }) => ({
      status: 'present',
      galleryId,
      region,
      items: updated(itemsOf(gallery), added, removed),
    }),
  },
});

const itemsOf = (gallery: Gallery): readonly string[] => (gallery.status === 'absent' ? [] : gallery.items);

function updated(before: readonly string[], added: readonly string[], removed: readonly string[]): string[] {
  const gone = new Set(removed);
  return [...new Set([...before, ...added])].filter((item) => !gone.has(item));
}
