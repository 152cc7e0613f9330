import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { presentAsset, type AssetView, type Page } from '#read-models';
import { assetAggregate, assetErrors, type AssetCommand } from '#studio';
import { Commands, type Asked } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { Id, OneOf, Reference, Text, wordsOf } from '../http/fields';
import { PageQuery, RevisionQuery } from '../http/page.query';
import { newThingId } from '../http/path-id';
import { ApiController, Read } from '../http/routes';
import { Command, ReadOne } from '../http/thing-routes';
import { answer, nullable, object, oneOf, pageOf, text } from '../openapi/schema';
import { Things } from '../reads/things';

const STATUSES = wordsOf<AssetView['status']>({ organized: true, delivered: true });

export class PlaceAsset {
  @Reference({ example: 'client_7' })
  clientId!: string;

  @Text({ max: 1_000, example: 'spring/posters' })
  folder!: string;

  @Id('cmp', { optional: true, nullable: true })
  campaignId?: string | null;
}

export class AssetsQuery extends PageQuery {
  @OneOf(STATUSES, { optional: true })
  status?: string;

  @Reference({ optional: true })
  clientId?: string;

  @Id('cmp', { optional: true })
  campaignId?: string;
}

const assetAnswer = answer(
  'Asset',
  'The asset',
  object({ id: text, status: oneOf(...STATUSES), clientId: text, folder: text, campaignId: nullable(text) }),
);
const assetPage = pageOf(assetAnswer);

const absent = () => errorsOf(assetErrors)('ASSET_NOT_FOUND');
const shown = shownBy(presentAsset, absent);
const written = { body: PlaceAsset, answer: assetAnswer } as const;

@ApiController('assets', 'Studio')
export class AssetsController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  @Command(':id/organize', { ...written, summary: 'Put it in its place' })
  organize(@Param('id') id: string, @Body() body: PlaceAsset, @TheCall() call: Call): Promise<AssetView> {
    return this.run({ type: 'OrganizeAsset', ...placement(id, body) }, call);
  }

  @Command(':id/deliver', { ...written, summary: 'Hand it over' })
  deliver(@Param('id') id: string, @Body() body: PlaceAsset, @TheCall() call: Call): Promise<AssetView> {
    return this.run({ type: 'DeliverAsset', ...placement(id, body) }, call);
  }

  @Read('', { scope: 'read', query: AssetsQuery, answer: assetPage, summary: 'List assets, newest first' })
  list(@Query() query: AssetsQuery, @TheCall() call: Call): Promise<Page<AssetView>> {
    return this.things.list(this.things.models.assets, { ...query }, call);
  }

  @ReadOne(':id', { answer: assetAnswer, absent: 'ASSET_NOT_FOUND', summary: 'One asset' })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<AssetView> {
    return this.things.get(this.things.models.assets, id, absent, call, minRevision);
  }

  private async run(asked: Asked<AssetCommand>, call: Call): Promise<AssetView> {
    const { state } = await this.commands.run(assetAggregate, asked.assetId, asked, call);
    return shown(state);
  }
}

const placement = (id: string, { clientId, folder, campaignId = null }: PlaceAsset) => ({
  assetId: newThingId('ast', id),
  clientId,
  folder,
  campaignId,
});
