import { coreType, count, id, list, nullable, shape, text } from '../core-type';

export const campaigns = {
  'campaign.progressed': coreType({
    topic: 'campaigns',
    description: 'One more post of a campaign settled.',
    data: shape({ campaignId: id('cmp'), settled: count(), total: count(), succeeded: count() }),
    example: { campaignId: 'cmp_spring', settled: 3, total: 10, succeeded: 2 },
    exampleKey: 'cmp_spring',
  }),
  'campaign.completed': coreType({
    topic: 'campaigns',
    description: 'A closed campaign whose every post has settled; sent once for ever.',
    data: shape({ campaignId: id('cmp'), totalPosts: count(), successCount: count(), failedCount: count() }),
    example: { campaignId: 'cmp_spring', totalPosts: 10, successCount: 9, failedCount: 1 },
    exampleKey: 'cmp_spring',
  }),
  'campaign.generation_progressed': coreType({
    topic: 'studio',
    description: 'The generation of a multi-asset campaign made progress.',
    data: shape({ campaignId: nullable(id('cmp')), done: count(), total: count() }),
    example: { campaignId: 'cmp_spring', done: 4, total: 12 },
    exampleKey: 'op_gen1',
  }),
  'campaign.generation_completed': coreType({
    topic: 'studio',
    description: 'The generation of a multi-asset campaign is finished.',
    data: shape({ campaignId: nullable(id('cmp')), assets: list(text('An asset id')) }),
    example: { campaignId: 'cmp_spring', assets: ['ast_1', 'ast_2'] },
    exampleKey: 'op_gen1',
  }),
};
