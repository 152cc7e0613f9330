import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { presentRegion, type Page, type RegionView } from '#read-models';
import { regionAggregate, regionErrors } from '#studio';
import { Commands } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { Name, Text, Whole } from '../http/fields';
import { PageQuery, RevisionQuery } from '../http/page.query';
import { ApiController, Read } from '../http/routes';
import { Command, ReadOne } from '../http/thing-routes';
import { validated } from '../http/validate';
import { answer, object, pageOf, text, whole } from '../openapi/schema';
import { Things } from '../reads/things';

class InPath {
  @Name()
  region!: string;
}

export class UpdatePerformance {
  @Text({ max: 100, example: '2026-04' })
  period!: string;

  @Whole()
  impressions!: number;

  @Whole()
  engagements!: number;

  @Whole()
  contentCount!: number;
}

const regionAnswer = answer(
  'Region',
  "The region's newest figures",
  object({ region: text, period: text, impressions: whole, engagements: whole, contentCount: whole }),
);
const regionPage = pageOf(regionAnswer);

const absent = () => errorsOf(regionErrors)('REGION_NOT_FOUND');
const shown = shownBy(presentRegion, absent);

/** A region is whatever its owner calls it; one that looks like a path is escaped in the URL. */
@ApiController('regions', 'Studio')
export class RegionsController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  @Command(':region/performance', {
    body: UpdatePerformance,
    answer: regionAnswer,
    summary: 'New figures of a region',
  })
  async update(
    @Param('region') region: string,
    @Body() { period, impressions, engagements, contentCount }: UpdatePerformance,
    @TheCall() call: Call,
  ): Promise<RegionView> {
    validated(InPath, { region });
    const update = { type: 'UpdatePerformance', region, period, impressions, engagements, contentCount } as const;
    const { state } = await this.commands.run(regionAggregate, region, update, call);
    return shown(state);
  }

  @Read('', { scope: 'read', query: PageQuery, answer: regionPage, summary: 'List regions, newest first' })
  list(@Query() query: PageQuery, @TheCall() call: Call): Promise<Page<RegionView>> {
    return this.things.list(this.things.models.regions, { ...query }, call);
  }

  @ReadOne(':region', { answer: regionAnswer, absent: 'REGION_NOT_FOUND', summary: 'One region' })
  get(
    @Param('region') region: string,
    @Query() { minRevision }: RevisionQuery,
    @TheCall() call: Call,
  ): Promise<RegionView> {
    return this.things.get(this.things.models.regions, region, absent, call, minRevision);
  }
}
