import type { DataOf } from '#kernel';
import type { OperationEvent } from '#studio';
import { say, unlessNull, type Mapping, type Said } from '../say';

/** The kinds share their events; each has words of its own in public. */
export const operationMessages: Mapping<OperationEvent> = {
  OperationStarted: started,
  OperationProgressed: progressed,
  OperationCompleted: completed,
  OperationFailed: failed,
};

type Of<T extends OperationEvent['type']> = DataOf<OperationEvent, T>;

const about = ({ operationId, region }: { operationId: string; region: string | null }) => ({
  operationId,
  ...unlessNull('region', region),
});
const placed = ({ region }: { region: string | null }) => unlessNull('region', region);

function started(of: Of<'OperationStarted'>): readonly Said[] {
  switch (of.kind) {
    case 'image':
      return [say('image.generation_started', about(of), placed(of))];
    case 'video':
      return [say('video.processing_started', about(of), placed(of))];
    case 'batch':
    case 'location_content':
    case 'location_recommendations':
    case 'campaign_generation':
      return [];
  }
}

function progressed(of: Of<'OperationProgressed'>): readonly Said[] {
  const { done, failed: failures, total, campaignId } = of;
  switch (of.kind) {
    case 'batch':
      return [say('batch.progressed', { ...about(of), done, failed: failures, total }, placed(of))];
    case 'campaign_generation':
      return [say('campaign.generation_progressed', { campaignId, done, total }, placed(of))];
    case 'image':
    case 'video':
    case 'location_content':
    case 'location_recommendations':
      return [];
  }
}

function completed(of: Of<'OperationCompleted'>): readonly Said[] {
  const { operationId, region, campaignId, url, contentId, contentIds, assets } = of;
  switch (of.kind) {
    case 'image':
      return [say('image.generation_completed', { ...about(of), ...unlessNull('url', url) }, placed(of))];
    case 'video':
      return [say('video.processing_completed', { ...about(of), ...unlessNull('url', url) }, placed(of))];
    case 'location_content':
      return [say('location_content.completed', { operationId, region, contentId: contentId ?? '' }, placed(of))];
    case 'location_recommendations':
      return [
        say('location.recommendations_ready', { operationId, region, contentIds: [...(contentIds ?? [])] }, placed(of)),
      ];
    case 'campaign_generation':
      return [say('campaign.generation_completed', { campaignId, assets: [...(assets ?? [])] }, placed(of))];
    case 'batch':
      return [];
  }
}

function failed(of: Of<'OperationFailed'>): readonly Said[] {
  const { operationId, kind, error } = of;
  const { code, message, detail } = error;
  const whole = say('operation.failed', { operationId, kind, error: { code, message, detail } }, placed(of));
  switch (kind) {
    case 'image':
      return [say('image.generation_failed', { ...about(of), error: message }, placed(of)), whole];
    case 'video':
      return [say('video.processing_failed', { ...about(of), error: message }, placed(of)), whole];
    case 'batch':
    case 'location_content':
    case 'location_recommendations':
    case 'campaign_generation':
      return [whole];
  }
}
