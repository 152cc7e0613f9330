import { coreType, count, flag, id, list, optional, personal, personalList, shape, text } from '../core-type';

const review = () => shape({ designId: id('dsg'), clientId: text(), revision: count(), note: optional(personal()) });
const compliance = () =>
  shape({ designId: id('dsg'), guidelines: list(text()), violations: optional(list(text())), manualReview: flag() });
const asset = () => shape({ assetId: id('ast'), clientId: text(), folder: text(), campaignId: optional(id('cmp')) });
const adaptation = () =>
  shape({ contentId: id('cnt'), region: text(), locale: text('BCP 47'), reasons: optional(personalList()) });

export const studio = {
  'media.processed': coreType({
    topic: 'studio',
    description: 'An uploaded media file is ready to use.',
    data: shape({ mediaId: id('med'), kind: text(), url: text(), bytes: count() }),
    example: { mediaId: 'med_1', kind: 'image', url: 'https://cdn.example.com/med_1.jpg', bytes: 482113 },
    exampleKey: 'med_1',
  }),
  'design.review_requested': coreType({
    topic: 'studio',
    description: 'A design was submitted to the client; `revision` counts the rounds from 1.',
    data: review(),
    example: { designId: 'dsg_1', clientId: 'client_9', revision: 1 },
    exampleKey: 'dsg_1',
  }),
  'design.approved': coreType({
    topic: 'studio',
    description: 'The client approved a design.',
    data: review(),
    example: { designId: 'dsg_1', clientId: 'client_9', revision: 2, note: 'Lovely' },
    exampleKey: 'dsg_1',
  }),
  'design.revision_requested': coreType({
    topic: 'studio',
    description: 'The client wants another revision of a design.',
    data: review(),
    example: { designId: 'dsg_1', clientId: 'client_9', revision: 1, note: 'A larger logo, please' },
    exampleKey: 'dsg_1',
  }),
  'brand.compliant': coreType({
    topic: 'studio',
    description: 'A design meets the brand guidelines.',
    data: compliance(),
    example: { designId: 'dsg_1', guidelines: ['logo', 'palette'], manualReview: false },
    exampleKey: 'dsg_1',
  }),
  'brand.violated': coreType({
    topic: 'studio',
    description: 'A design violates the brand guidelines.',
    data: compliance(),
    example: { designId: 'dsg_1', guidelines: ['logo', 'palette'], violations: ['palette'], manualReview: true },
    exampleKey: 'dsg_1',
  }),
  'asset.organized': coreType({
    topic: 'studio',
    description: 'An asset was put into a folder of a client.',
    data: asset(),
    example: { assetId: 'ast_1', clientId: 'client_9', folder: '/spring', campaignId: 'cmp_spring' },
    exampleKey: 'ast_1',
  }),
  'asset.delivered': coreType({
    topic: 'studio',
    description: 'An asset was delivered to a folder of a client.',
    data: asset(),
    example: { assetId: 'ast_1', clientId: 'client_9', folder: '/spring' },
    exampleKey: 'ast_1',
  }),
  'gallery.updated': coreType({
    topic: 'studio',
    description: 'A geographic gallery got or lost content.',
    data: shape({ galleryId: id('gal'), region: text(), added: list(text()), removed: list(text()) }),
    example: { galleryId: 'gal_1', region: 'jp-kansai', added: ['cnt_1'], removed: [] },
    exampleKey: 'gal_1',
  }),
  'content.culturally_adapted': coreType({
    topic: 'studio',
    description: 'Content was adapted to the culture of a region.',
    data: adaptation(),
    example: { contentId: 'cnt_1', region: 'jp-kansai', locale: 'ja-JP' },
    exampleKey: 'cnt_1',
  }),
  'content.cultural_review_required': coreType({
    topic: 'studio',
    description: 'Adapted content needs a person to look at it.',
    data: adaptation(),
    example: { contentId: 'cnt_1', region: 'jp-kansai', locale: 'ja-JP', reasons: ['gesture'] },
    exampleKey: 'cnt_1',
  }),
  'region.performance_updated': coreType({
    topic: 'studio',
    description: 'How the content of a region did in a period.',
    data: shape({ region: text(), period: text(), impressions: count(), engagements: count(), contentCount: count() }),
    example: { region: 'jp-kansai', period: '2026-04', impressions: 120000, engagements: 4200, contentCount: 18 },
    exampleKey: 'jp-kansai',
  }),
};
