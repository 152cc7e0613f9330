import { galleryAggregate, type Gallery } from '#studio';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

export type ExistingGallery = Exclude<Gallery, { status: 'absent' }>;

/** A gallery as `GET /galleries/:id` answers. */
export interface GalleryView {
  readonly id: string;
  readonly region: string;
  readonly items: readonly string[];
}

export const presentGallery = ({ galleryId, region, items }: ExistingGallery): GalleryView => ({
  id: galleryId,
  region,
  items,
});

export const galleriesView: KeyedView<ExistingGallery, GalleryView> = viewOf(galleryAggregate, isThere, {
  name: 'galleries',
  shape: 1,
  columns: { region: { type: 'text', of: ({ region }) => region } },
  filters: { region: { column: 'region', how: 'is' } },
  present: presentGallery,
});
