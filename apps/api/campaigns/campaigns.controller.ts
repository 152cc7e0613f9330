import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { campaignAggregate, campaignErrors } from '#publishing';
import { presentCampaign, type CampaignView, type Page } from '#read-models';
import { Commands } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { RevisionQuery } from '../http/page.query';
import { ApiController, Read } from '../http/routes';
import { Command, Create, ReadOne } from '../http/thing-routes';
import { Things } from '../reads/things';
import { campaignAnswer, campaignPage, CampaignsQuery, CreateCampaign } from './campaigns.dto';

const fail = errorsOf(campaignErrors);
const absent = () => fail('CAMPAIGN_NOT_FOUND');
const shown = shownBy(presentCampaign, absent);

@ApiController('campaigns', 'Campaigns')
export class CampaignsController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  @Create('', {
    body: CreateCampaign,
    answer: campaignAnswer,
    errors: ['CAMPAIGN_ALREADY_EXISTS'],
    summary: 'Begin a campaign',
  })
  async create(@Body() { id, name, profileId }: CreateCampaign, @TheCall() call: Call): Promise<CampaignView> {
    const campaignId = id ?? call.newId('cmp');
    const create = { type: 'CreateCampaign', campaignId, name, profileId } as const;
    return shown((await this.commands.run(campaignAggregate, campaignId, create, call)).state);
  }

  @Read('', { scope: 'read', query: CampaignsQuery, answer: campaignPage, summary: 'List campaigns, newest first' })
  list(@Query() query: CampaignsQuery, @TheCall() call: Call): Promise<Page<CampaignView>> {
    return this.things.list(this.things.models.campaigns, { ...query }, call);
  }

  @ReadOne(':id', { answer: campaignAnswer, absent: 'CAMPAIGN_NOT_FOUND', summary: 'One campaign' })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<CampaignView> {
    return this.things.get(this.things.models.campaigns, id, absent, call, minRevision);
  }

  @Command(':id/close', {
    answer: campaignAnswer,
    errors: ['CAMPAIGN_NOT_FOUND'],
    summary: 'Take no more posts; it completes when every post has settled',
  })
  async close(@Param('id') id: string, @TheCall() call: Call): Promise<CampaignView> {
    return shown((await this.commands.run(campaignAggregate, id, { type: 'CloseCampaign' }, call)).state);
  }
}
