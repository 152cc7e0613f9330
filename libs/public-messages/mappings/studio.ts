import type { AssetEvent, ContentEvent, DesignEvent, GalleryEvent, MediaEvent, RegionEvent } from '#studio';
import { nothing, say, unlessNull, type Mapping } from '../say';

export const mediaMessages: Mapping<MediaEvent> = {
  MediaAdded: nothing,
  MediaProcessed: ({ mediaId, kind, url, bytes }) => [say('media.processed', { mediaId, kind, url, bytes })],
};

export const designMessages: Mapping<DesignEvent> = {
  DesignCreated: nothing,
  DesignSubmitted: ({ designId, clientId, revision }) => [
    say('design.review_requested', { designId, clientId, revision }),
  ],
  DesignApproved: ({ designId, clientId, revision, note }) => [
    say('design.approved', { designId, clientId, revision, ...unlessNull('note', note) }),
  ],
  DesignRevisionRequested: ({ designId, clientId, revision, note }) => [
    say('design.revision_requested', { designId, clientId, revision, note }),
  ],
  BrandCompliant: ({ designId, guidelines, manualReview }) => [
    say('brand.compliant', { designId, guidelines: [...guidelines], manualReview }),
  ],
  BrandViolated: ({ designId, guidelines, violations, manualReview }) => [
    say('brand.violated', { designId, guidelines: [...guidelines], violations: [...violations], manualReview }),
  ],
};

export const assetMessages: Mapping<AssetEvent> = {
  AssetOrganized: ({ assetId, clientId, folder, campaignId }) => [
    say('asset.organized', { assetId, clientId, folder, ...unlessNull('campaignId', campaignId) }),
  ],
  AssetDelivered: ({ assetId, clientId, folder, campaignId }) => [
    say('asset.delivered', { assetId, clientId, folder, ...unlessNull('campaignId', campaignId) }),
  ],
};

export const galleryMessages: Mapping<GalleryEvent> = {
  GalleryUpdated: ({ galleryId, region, added, removed }) => [
    say('gallery.updated', { galleryId, region, added: [...added], removed: [...removed] }, { region }),
  ],
};

export const contentMessages: Mapping<ContentEvent> = {
  ContentCulturallyAdapted: ({ contentId, region, locale }) => [
    say('content.culturally_adapted', { contentId, region, locale }, { region }),
  ],
  ContentCulturalReviewRequired: ({ contentId, region, locale, reasons }) => [
    say('content.cultural_review_required', { contentId, region, locale, reasons }, { region }),
  ],
};

export const regionMessages: Mapping<RegionEvent> = {
  RegionPerformanceUpdated: ({ region, period, impressions, engagements, contentCount }) => [
    say('region.performance_updated', { region, period, impressions, engagements, contentCount }, { region }),
  ],
};
