import { decider, type Command, type Personal } from '#kernel';
import { ensure } from './content.errors';
import type { ContentEvent } from './content.events';

/** Any reason: a person has to look at it. */
export type ContentCommand = Command<
  'AdaptContent',
  { readonly contentId: string; readonly region: string; readonly locale: string; readonly reasons: readonly string[] }
>;

export interface Adaptation {
  readonly region: string;
  readonly locale: string;
  readonly status: 'adapted' | 'review_required';
  readonly reasons: Personal<readonly string[]>;
}

/** Comes into being with its first adaptation; keeps the newest of each region and locale, in the order of their first. */
export type StudioContent =
  | { readonly status: 'absent' }
  | { readonly status: 'present'; readonly contentId: string; readonly adaptations: readonly Adaptation[] };

/** All are one row and one answer, which every adaptation writes and reads whole. */
const MOST_ADAPTATIONS = 1_000;

export const contentDecider = decider<ContentCommand, ContentEvent, StudioContent>({
  initial: { status: 'absent' },
  decide: {
    AdaptContent: ({ contentId, region, locale, reasons }, content) => {
      const before = adaptationsOf(content);
      ensure(before.length < MOST_ADAPTATIONS || before.some(isFor({ region, locale })), 'CONTENT_FULL');
      return reasons.length === 0
        ? [{ type: 'ContentCulturallyAdapted', data: { contentId, region, locale } }]
        : [{ type: 'ContentCulturalReviewRequired', data: { contentId, region, locale, reasons } }];
    },
  },
  evolve: {
    ContentCulturallyAdapted: (content, { contentId, region, locale }) =>
      adapted(content, contentId, { region, locale, status: 'adapted', reasons: [] }),
    ContentCulturalReviewRequired: (content, { contentId, region, locale, reasons }) =>
      adapted(content, contentId, { region, locale, status: 'review_required', reasons }),
  },
});

const adaptationsOf = (content: StudioContent): readonly Adaptation[] =>
  content.status === 'absent' ? [] : content.adaptations;

const isFor =
  (wanted: Pick<Adaptation, 'region' | 'locale'>) =>
  ({ region, locale }: Adaptation): boolean =>
    region === wanted.region && locale === wanted.locale;

function adapted(content: StudioContent, contentId: string, newest: Adaptation): StudioContent {
  const before = adaptationsOf(content);
  const isNewest = isFor(newest);
  const adaptations = before.some(isNewest) ? before.map((it) => (isNewest(it) ? newest : it)) : [...before, newest];
  return { status: 'present', contentId, adaptations };
}
