import { mediaAggregate, type Media } from '#studio';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

export type ExistingMedia = Exclude<Media, { status: 'absent' }>;

/** A medium as `GET /media/:id` answers. */
export interface MediaView {
  readonly id: string;
  readonly kind: string;
  readonly status: ExistingMedia['status'];
  readonly url: string | null;
  readonly bytes: number | null;
}

export const presentMedia = ({ mediaId, kind, status, url, bytes }: ExistingMedia): MediaView => ({
  id: mediaId,
  kind,
  status,
  url,
  bytes,
});

export const mediaView: KeyedView<ExistingMedia, MediaView> = viewOf(mediaAggregate, isThere, {
  name: 'media',
  shape: 1,
  columns: { kind: { type: 'text', of: ({ kind }) => kind }, status: { type: 'text', of: ({ status }) => status } },
  filters: { kind: { column: 'kind', how: 'is' }, status: { column: 'status', how: 'is' } },
  present: presentMedia,
});
