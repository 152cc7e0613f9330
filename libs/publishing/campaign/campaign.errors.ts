import { ensureOf, errorsOf } from '#kernel';

export const campaignErrors = {
  CAMPAIGN_ALREADY_EXISTS: ['conflict', 'A campaign with this id exists already.'],
  CAMPAIGN_NOT_FOUND: ['not-found', 'There is no such campaign.'],
  CAMPAIGN_UNKNOWN: ['refused', 'The post names a campaign that does not exist.'],
  CAMPAIGN_CLOSED: ['conflict', 'The campaign is closed and takes no more posts.'],
} as const;

export const fail = errorsOf(campaignErrors);
export const ensure: ReturnType<typeof ensureOf<typeof campaignErrors>> = ensureOf(campaignErrors);
