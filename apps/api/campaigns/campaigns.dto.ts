import type { CampaignView } from '#read-models';
import { Id, OneOf, Reference, Text, wordsOf } from '../http/fields';
import { PageQuery } from '../http/page.query';
import { answer, object, oneOf, pageOf, text, whole } from '../openapi/schema';

const STATUSES = wordsOf<CampaignView['status']>({ open: true, closed: true, completed: true });

export class CreateCampaign {
  @Id('cmp', { optional: true })
  id?: string;

  @Text({ max: 200, example: 'Spring launch' })
  name!: string;

  @Reference({ example: 'prof_1' })
  profileId!: string;
}

export class CampaignsQuery extends PageQuery {
  @OneOf(STATUSES, { optional: true })
  status?: string;

  @Reference({ optional: true })
  profileId?: string;
}

export const campaignAnswer = answer(
  'Campaign',
  'The campaign, with its counts of posts',
  object({
    id: text,
    name: text,
    profileId: text,
    status: oneOf(...STATUSES),
    total: whole,
    settled: whole,
    succeeded: whole,
    failed: whole,
  }),
);
export const campaignPage = pageOf(campaignAnswer);
