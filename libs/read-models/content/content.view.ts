import { contentAggregate, type Adaptation, type StudioContent } from '#studio';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

export type ExistingContent = Exclude<StudioContent, { status: 'absent' }>;

/** Content as `GET /content/:id` answers: the newest adaptation for each region and locale. */
export interface ContentView {
  readonly id: string;
  readonly adaptations: readonly Adaptation[];
}

export const presentContent = ({ contentId, adaptations }: ExistingContent): ContentView => ({
  id: contentId,
  adaptations,
});

export const contentView: KeyedView<ExistingContent, ContentView> = viewOf(contentAggregate, isThere, {
  name: 'content',
  shape: 1,
  columns: { regions: { type: 'text[]', of: ({ adaptations }) => adaptations.map(({ region }) => region) } },
  filters: { region: { column: 'regions', how: 'has' } },
  present: presentContent,
});
