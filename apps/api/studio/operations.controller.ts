import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { presentOperation, type OperationView, type Page } from '#read-models';
import { operationAggregate, operationErrors, type OperationCommand } from '#studio';
import { Commands, type Asked } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { RevisionQuery } from '../http/page.query';
import { ApiController, Read } from '../http/routes';
import { Command, Create, ReadOne } from '../http/thing-routes';
import { Things } from '../reads/things';
import {
  CompleteOperation,
  FailOperation,
  operationAnswer,
  operationPage,
  OperationsQuery,
  ReportProgress,
  StartOperation,
} from './operations.dto';

const fail = errorsOf(operationErrors);
const absent = () => fail('OPERATION_NOT_FOUND');
const shown = shownBy(presentOperation, absent);

@ApiController('operations', 'Studio')
export class OperationsController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  @Create('', {
    body: StartOperation,
    answer: operationAnswer,
    errors: ['OPERATION_ALREADY_EXISTS', 'OPERATION_INCOMPLETE'],
    summary: 'Begin an operation',
  })
  start(
    @Body() { id, kind, region = null, total = null, campaignId = null }: StartOperation,
    @TheCall() call: Call,
  ): Promise<OperationView> {
    const operationId = id ?? call.newId('op');
    return this.run(operationId, { type: 'StartOperation', operationId, kind, region, total, campaignId }, call);
  }

  @Read('', { scope: 'read', query: OperationsQuery, answer: operationPage, summary: 'List operations, newest first' })
  list(@Query() query: OperationsQuery, @TheCall() call: Call): Promise<Page<OperationView>> {
    return this.things.list(this.things.models.operations, { ...query }, call);
  }

  @ReadOne(':id', { answer: operationAnswer, absent: 'OPERATION_NOT_FOUND', summary: 'One operation' })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<OperationView> {
    return this.things.get(this.things.models.operations, id, absent, call, minRevision);
  }

  @Command(':id/progress', {
    body: ReportProgress,
    answer: operationAnswer,
    errors: [
      'OPERATION_NOT_FOUND',
      'OPERATION_NOT_RUNNING',
      'OPERATION_TOTAL_UNKNOWN',
      'PROGRESS_EXCEEDS_TOTAL',
      'PROGRESS_WENT_BACK',
    ],
    summary: 'Say how far it is',
  })
  progress(
    @Param('id') id: string,
    @Body() { done, failed }: ReportProgress,
    @TheCall() call: Call,
  ): Promise<OperationView> {
    return this.run(id, { type: 'ReportProgress', done, failed: failed ?? null }, call);
  }

  @Command(':id/complete', {
    body: CompleteOperation,
    answer: operationAnswer,
    errors: ['OPERATION_NOT_FOUND', 'OPERATION_NOT_RUNNING', 'OPERATION_RESULT_INCOMPLETE'],
    summary: 'It succeeded',
  })
  complete(
    @Param('id') id: string,
    @Body() { url = null, contentId = null, contentIds = null, assets = null }: CompleteOperation,
    @TheCall() call: Call,
  ): Promise<OperationView> {
    return this.run(id, { type: 'CompleteOperation', url, contentId, contentIds, assets }, call);
  }

  @Command(':id/fail', {
    body: FailOperation,
    answer: operationAnswer,
    errors: ['OPERATION_NOT_FOUND', 'OPERATION_NOT_RUNNING'],
    summary: 'It failed',
  })
  fail(
    @Param('id') id: string,
    @Body() { error: { code, message, detail = null } }: FailOperation,
    @TheCall() call: Call,
  ): Promise<OperationView> {
    return this.run(id, { type: 'FailOperation', error: { code, message, detail } }, call);
  }

  private async run(id: string, asked: Asked<OperationCommand>, call: Call): Promise<OperationView> {
    const { state } = await this.commands.run(operationAggregate, id, asked, call);
    return shown(state);
  }
}
