import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { presentDesign, type DesignView, type Page } from '#read-models';
import { designAggregate, designErrors, type DesignCommand } from '#studio';
import { Commands, type Asked } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { RevisionQuery } from '../http/page.query';
import { ApiController, Read } from '../http/routes';
import { Command, Create, ReadOne } from '../http/thing-routes';
import { Things } from '../reads/things';
import {
  ApproveDesign,
  CheckCompliance,
  CreateDesign,
  designAnswer,
  designPage,
  DesignsQuery,
  RequestRevision,
} from './designs.dto';

const fail = errorsOf(designErrors);
const absent = () => fail('DESIGN_NOT_FOUND');
const shown = shownBy(presentDesign, absent);
const written = { answer: designAnswer } as const;

@ApiController('designs', 'Studio')
export class DesignsController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  @Create('', {
    ...written,
    body: CreateDesign,
    errors: ['DESIGN_ALREADY_EXISTS'],
    summary: 'Begin a design',
  })
  create(@Body() { id, clientId, name = null }: CreateDesign, @TheCall() call: Call): Promise<DesignView> {
    const designId = id ?? call.newId('dsg');
    return this.run(designId, { type: 'CreateDesign', designId, clientId, name }, call);
  }

  @Read('', { scope: 'read', query: DesignsQuery, answer: designPage, summary: 'List designs, newest first' })
  list(@Query() query: DesignsQuery, @TheCall() call: Call): Promise<Page<DesignView>> {
    return this.things.list(this.things.models.designs, { ...query }, call);
  }

  @ReadOne(':id', { answer: designAnswer, absent: 'DESIGN_NOT_FOUND', summary: 'One design' })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<DesignView> {
    return this.things.get(this.things.models.designs, id, absent, call, minRevision);
  }

  @Command(':id/submit', {
    ...written,
    errors: ['DESIGN_NOT_FOUND', 'DESIGN_NOT_SUBMITTABLE'],
    summary: 'Ask for a review',
  })
  submit(@Param('id') id: string, @TheCall() call: Call): Promise<DesignView> {
    return this.run(id, { type: 'SubmitDesign' }, call);
  }

  @Command(':id/approve', {
    ...written,
    body: ApproveDesign,
    errors: ['DESIGN_NOT_FOUND', 'DESIGN_NOT_IN_REVIEW'],
    summary: 'Approve it',
  })
  approve(@Param('id') id: string, @Body() { note = null }: ApproveDesign, @TheCall() call: Call): Promise<DesignView> {
    return this.run(id, { type: 'ApproveDesign', note }, call);
  }

  @Command(':id/request-revision', {
    ...written,
    body: RequestRevision,
    errors: ['DESIGN_NOT_FOUND', 'DESIGN_NOT_IN_REVIEW'],
    summary: 'Send it back',
  })
  requestRevision(
    @Param('id') id: string,
    @Body() { note }: RequestRevision,
    @TheCall() call: Call,
  ): Promise<DesignView> {
    return this.run(id, { type: 'RequestRevision', note }, call);
  }

  @Command(':id/compliance', {
    ...written,
    body: CheckCompliance,
    errors: ['DESIGN_NOT_FOUND'],
    summary: 'Say whether it keeps to the brand',
  })
  compliance(
    @Param('id') id: string,
    @Body() { guidelines, violations, manualReview = false }: CheckCompliance,
    @TheCall() call: Call,
  ): Promise<DesignView> {
    return this.run(id, { type: 'CheckCompliance', guidelines, violations, manualReview }, call);
  }

  private async run(id: string, asked: Asked<DesignCommand>, call: Call): Promise<DesignView> {
    const { state } = await this.commands.run(designAggregate, id, asked, call);
    return shown(state);
  }
}
