import { decider, type Command } from '#kernel';
import { ensure } from './media.errors';
import type { MediaEvent } from './media.events';

export type MediaCommand =
  | Command<
      'AddMedia',
      { readonly mediaId: string; readonly kind: string; readonly url: string | null; readonly bytes: number | null }
    >
  | Command<'MarkMediaProcessed', { readonly url: string; readonly bytes: number }>;

export type Media =
  | { readonly status: 'absent' }
  | {
      readonly status: 'added' | 'processed';
      readonly mediaId: string;
      readonly kind: string;
      readonly url: string | null;
      readonly bytes: number | null;
    };

export const mediaDecider = decider<MediaCommand, MediaEvent, Media>({
  initial: { status: 'absent' },
  decide: {
    AddMedia: ({ mediaId, kind, url, bytes }, media) => {
      ensure(media.status === 'absent', 'MEDIA_ALREADY_EXISTS');
      return [{ type: 'MediaAdded', data: { mediaId, kind, url, bytes } }];
    },

    MarkMediaProcessed: ({ url, bytes }, media) => {
      ensure(media.status !== 'absent', 'MEDIA_NOT_FOUND');
      ensure(media.status === 'added', 'MEDIA_ALREADY_PROCESSED');
      return [{ type: 'MediaProcessed', data: { mediaId: media.mediaId, kind: media.kind, url, bytes } }];
    },
  },
  evolve: {
    MediaAdded: (_, data) => ({ status: 'added', ...data }),
    MediaProcessed: (_, data) => ({ status: 'processed', ...data }),
  },
});
