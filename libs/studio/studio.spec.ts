import { fold, instant } from '#kernel';
import { scenariosOf } from '#testing';
import { assetDecider } from './asset/asset.decider';
import { contentDecider, type ContentCommand } from './content/content.decider';
import { galleryDecider, type GalleryCommand } from './gallery/gallery.decider';
import { regionDecider } from './region/region.decider';

// What comes into being with the first command on it.

const stamp = { at: instant('2026-04-22T12:00:00.000Z'), actor: 'key_1' };

describe('an asset', () => {
  const { given } = scenariosOf(assetDecider);
  const placement = { assetId: 'ast_1', clientId: 'client-9', folder: 'spring/final', campaignId: null };
  it('is organized, and again', () => {
    given()
      .when({ ...stamp, type: 'OrganizeAsset', ...placement })
      .then({ type: 'AssetOrganized', data: placement });
    given({ type: 'AssetOrganized', data: placement })
      .when({ ...stamp, type: 'OrganizeAsset', ...placement, folder: 'summer' })
      .then({ type: 'AssetOrganized', data: { ...placement, folder: 'summer' } });
  });
  it('is delivered, also as the first that is heard of it', () =>
    given()
      .when({ ...stamp, type: 'DeliverAsset', ...placement })
      .then({ type: 'AssetDelivered', data: placement }));
});

describe('a gallery', () => {
  const { given } = scenariosOf(galleryDecider);
  const update = (added: string[], removed: string[]): GalleryCommand => ({
    ...stamp,
    type: 'UpdateGallery',
    galleryId: 'gal_1',
    region: 'eu',
    added,
    removed,
  });
  const updated = (added: string[], removed: string[]) =>
    ({ type: 'GalleryUpdated', data: { galleryId: 'gal_1', region: 'eu', added, removed } }) as const;
  it('says what was added and removed', () =>
    given()
      .when(update(['a', 'b'], ['c']))
      .then(updated(['a', 'b'], ['c'])));
  it('holds what was added and not removed, once', () =>
    expect(fold(galleryDecider, [updated(['a', 'b'], []), updated(['b', 'c'], ['a'])])).toMatchObject({
      items: ['b', 'c'],
    }));

  it('holds ten thousand items and no more', () => {
    const items = Array.from({ length: 10_000 }, (_, nth) => `item_${nth}`);
    const full = updated(items, []);
    given(full)
      .when(update(['one more'], []))
      .fails('GALLERY_FULL');
    given(full)
      .when(update(['item_0', 'one more'], ['item_1']))
      .then(updated(['item_0', 'one more'], ['item_1']));
    // What came to more before there was a bound is still given up.
    const beyond = updated(['another', 'and another'], []);
    given(full, beyond)
      .when(update([], ['item_0']))
      .then(updated([], ['item_0']));
  });
});

describe('content', () => {
  const { given } = scenariosOf(contentDecider);
  const adapt = (...reasons: string[]): ContentCommand => ({
    ...stamp,
    type: 'AdaptContent',
    contentId: 'cnt_1',
    region: 'jp',
    locale: 'ja-JP',
    reasons,
  });
  const of = { contentId: 'cnt_1', region: 'jp', locale: 'ja-JP' };
  it('is adapted when there is no reason to doubt', () =>
    given().when(adapt()).then({ type: 'ContentCulturallyAdapted', data: of }));
  it('needs a review for any reason', () =>
    given()
      .when(adapt('colour'))
      .then({ type: 'ContentCulturalReviewRequired', data: { ...of, reasons: ['colour'] } }));
  it('is adapted to 1,000 regions and locales and no more', () => {
    const adapted = (region: string) => ({ type: 'ContentCulturallyAdapted', data: { ...of, region } }) as const;
    const others = Array.from({ length: 999 }, (_, nth) => adapted(`region_${nth}`));
    given(...others)
      .when(adapt())
      .then(adapted(of.region));
    given(...others, adapted('us'))
      .when(adapt())
      .fails('CONTENT_FULL');
    given(...others, adapted(of.region))
      .when(adapt())
      .then(adapted(of.region));
  });
  it('keeps the newest adaptation of each region and locale', () =>
    expect(
      fold(contentDecider, [
        { type: 'ContentCulturalReviewRequired', data: { ...of, reasons: ['colour'] } },
        { type: 'ContentCulturallyAdapted', data: { ...of, locale: 'en-JP' } },
        { type: 'ContentCulturallyAdapted', data: { ...of, region: 'us' } },
        { type: 'ContentCulturallyAdapted', data: of },
      ]),
    ).toMatchObject({
      adaptations: [
        { region: 'jp', locale: 'ja-JP', status: 'adapted', reasons: [] },
        { region: 'jp', locale: 'en-JP', status: 'adapted', reasons: [] },
        { region: 'us', locale: 'ja-JP', status: 'adapted', reasons: [] },
      ],
    }));
});

describe('a region', () => {
  const { given } = scenariosOf(regionDecider);
  const figures = { region: 'eu/../west', period: '2026-04', impressions: 10, engagements: 2, contentCount: 1 };
  it('is told its figures, whatever its name looks like', () =>
    given()
      .when({ ...stamp, type: 'UpdatePerformance', ...figures })
      .then({ type: 'RegionPerformanceUpdated', data: figures }));
});
