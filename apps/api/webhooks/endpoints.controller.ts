import { Body, Param, Query } from '@nestjs/common';
import type { Handled } from '#event-store';
import { errorsOf, HOUR } from '#kernel';
import { presentEndpoint, type EndpointView, type Page } from '#read-models';
import type { Contract } from '#webhook-contracts';
import {
  endpointAggregate,
  endpointErrors,
  existingEndpoint,
  type Endpoint,
  type EndpointCommand,
  type ExistingEndpoint,
} from '#webhooks';
import { Commands, type Asked } from '../commands/commands';
import { TheCall, type Call } from '../http/call';
import { RevisionQuery } from '../http/page.query';
import { invalid } from '../http/problem';
import { ApiController, Read, Write } from '../http/routes';
import { Things } from '../reads/things';
import { deliveryTime } from './delivery-time';
import { EndpointSecrets } from './endpoint-secrets';
import { EndpointTest, type TestResult } from './endpoint-test';
import { EndpointVetting } from './endpoint-vetting';
import {
  EndpointsQuery,
  RegisterEndpoint,
  ReplayDeliveries,
  RotateSecret,
  TestEndpoint,
  UpdateEndpoint,
} from './endpoints.dto';
import {
  endpointAnswer,
  endpointPage,
  jobReference,
  newEndpointAnswer,
  secretAnswer,
  testAnswer,
} from './endpoints.schema';
import { Jobs } from './jobs';
import { KnownToDelivery } from './known-to-delivery';

const fail = errorsOf(endpointErrors);
const absent = () => fail('ENDPOINT_NOT_FOUND');
const DEFAULT_CONTRACT = 'core';
const DEFAULT_OVERLAP_HOURS = 24;

@ApiController('webhooks/endpoints', 'Webhooks')
export class EndpointsController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
    private readonly vetting: EndpointVetting,
    private readonly secrets: EndpointSecrets,
    private readonly tests: EndpointTest,
    private readonly jobs: Jobs,
    private readonly delivery: KnownToDelivery,
  ) {}

  @Write('', {
    scope: 'webhooks',
    status: 201,
    body: RegisterEndpoint,
    answer: newEndpointAnswer,
    tagged: true,
    errors: ['ENDPOINT_ALREADY_EXISTS', 'TARGET_REFUSED', 'CONTRACT_UNKNOWN', 'EVENT_TYPE_UNKNOWN', 'EVENT_UNKNOWN'],
    summary: 'Register an endpoint; its signing secret is shown this once',
  })
  async register(
    @Body() body: RegisterEndpoint,
    @TheCall() call: Call,
  ): Promise<EndpointView & { signingSecret: string }> {
    const {
      targetUrl,
      eventTypes,
      description = null,
      ordered = false,
      rateLimitPerSecond = null,
      latestOnly = false,
    } = body;
    const contract = this.vetting.contract(body.contract ?? DEFAULT_CONTRACT);
    this.vetting.eventTypes(contract, eventTypes);
    this.vetting.target(targetUrl);
    const startFrom = await this.vetting.startFrom(body.startFrom ?? null, call.workspace);
    const endpointId = body.id ?? call.newId('whe');
    const { state } = await this.commands.run(
      endpointAggregate,
      endpointId,
      {
        type: 'RegisterEndpoint',
        endpointId,
        targetUrl,
        eventTypes,
        contract: contract.name,
        description,
        ordered,
        rateLimitPerSecond,
        latestOnly,
        startFrom,
        secret: this.secrets.make(contract, call),
      },
      call,
    );
    const endpoint = existingEndpoint(state);
    return { ...presentEndpoint(endpoint), signingSecret: this.secrets.newest(endpoint.config.secrets) };
  }

  @Read('', { scope: 'webhooks', query: EndpointsQuery, answer: endpointPage, summary: 'List endpoints, newest first' })
  list(@Query() query: EndpointsQuery, @TheCall() call: Call): Promise<Page<EndpointView>> {
    return this.things.list(this.things.models.webhookEndpoints, { ...query }, call);
  }

  @Read(':id', {
    scope: 'webhooks',
    query: RevisionQuery,
    answer: endpointAnswer,
    tagged: true,
    errors: ['ENDPOINT_NOT_FOUND', 'READ_MODEL_BEHIND'],
    summary: 'One endpoint',
  })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<EndpointView> {
    return this.things.get(this.things.models.webhookEndpoints, id, absent, call, minRevision);
  }

  @Write(':id', {
    method: 'PATCH',
    scope: 'webhooks',
    body: UpdateEndpoint,
    answer: endpointAnswer,
    tagged: true,
    errors: ['ENDPOINT_NOT_FOUND', 'TARGET_REFUSED', 'EVENT_TYPE_UNKNOWN'],
    summary: 'Change an endpoint',
  })
  async update(@Param('id') id: string, @Body() changes: UpdateEndpoint, @TheCall() call: Call): Promise<EndpointView> {
    if (changes.targetUrl !== undefined) this.vetting.target(changes.targetUrl);
    if (changes.eventTypes !== undefined) {
      const contract = await this.contractOf(id, call);
      if (contract) this.vetting.eventTypes(contract, changes.eventTypes);
    }
    return this.shown(id, { type: 'UpdateEndpoint', changes: { ...changes } }, call);
  }

  @Write(':id', {
    method: 'DELETE',
    scope: 'webhooks',
    status: 204,
    tagged: true,
    errors: ['ENDPOINT_NOT_FOUND'],
    summary: 'Delete an endpoint; what waits for it is discarded',
  })
  async delete(@Param('id') id: string, @TheCall() call: Call): Promise<void> {
    await this.change(id, { type: 'DeleteEndpoint' }, call);
  }

  @Write(':id/enable', {
    scope: 'webhooks',
    answer: endpointAnswer,
    tagged: true,
    errors: ['ENDPOINT_NOT_FOUND'],
    summary: 'Send to it from now on',
  })
  enable(@Param('id') id: string, @TheCall() call: Call): Promise<EndpointView> {
    return this.shown(id, { type: 'EnableEndpoint' }, call);
  }

  @Write(':id/disable', {
    scope: 'webhooks',
    answer: endpointAnswer,
    tagged: true,
    errors: ['ENDPOINT_NOT_FOUND'],
    summary: 'Send nothing to it; events keep their numbers and are discarded',
  })
  disable(@Param('id') id: string, @TheCall() call: Call): Promise<EndpointView> {
    return this.shown(id, { type: 'DisableEndpoint', reason: 'manual' }, call);
  }

  @Write(':id/rotate-secret', {
    scope: 'webhooks',
    body: RotateSecret,
    answer: secretAnswer,
    tagged: true,
    errors: ['ENDPOINT_NOT_FOUND', 'SECRETS_OVERLAP'],
    summary: 'Make a new secret; it is shown this once',
  })
  async rotate(
    @Param('id') id: string,
    @Body() { overlapHours = DEFAULT_OVERLAP_HOURS }: RotateSecret,
    @TheCall() call: Call,
  ): Promise<{ signingSecret: string }> {
    const secret = this.secrets.make(await this.contractOf(id, call), call);
    const asked = { type: 'RotateSecret', secret, overlapMs: Math.round(overlapHours * HOUR) } as const;
    const { state } = await this.change(id, asked, call);
    return { signingSecret: this.secrets.newest(existingEndpoint(state).config.secrets) };
  }

  @Write(':id/test', {
    scope: 'webhooks',
    body: TestEndpoint,
    answer: testAnswer,
    tagged: true,
    errors: ['ENDPOINT_NOT_FOUND', 'EVENT_TYPE_UNKNOWN'],
    summary: 'Send a sample now, and say what the target answered',
  })
  async test(@Param('id') id: string, @Body() { type }: TestEndpoint, @TheCall() call: Call): Promise<TestResult> {
    const { state, revision } = await this.commands.load(endpointAggregate, call.workspace, id);
    const { config } = existingEndpoint(state);
    call.unchanged(revision);
    const contract = this.vetting.contract(config.contract);
    if (type !== undefined) this.vetting.eventType(contract, type);
    return this.tests.send(contract, config, type, call);
  }

  @Write(':id/replay', {
    scope: 'webhooks',
    status: 202,
    body: ReplayDeliveries,
    answer: jobReference,
    tagged: true,
    errors: ['ENDPOINT_NOT_FOUND', 'ENDPOINT_DISABLED'],
    summary: 'Send again what was made for it in a span of time',
  })
  async replay(
    @Param('id') id: string,
    @Body() { since, until = null, status = null }: ReplayDeliveries,
    @TheCall() call: Call,
  ): Promise<{ jobId: string }> {
    const jobId = call.newId('job');
    if (until !== null && until <= since) throw invalid({ pointer: '/until', message: 'must be after since' });
    const replay = {
      type: 'RequestReplay',
      jobId,
      since: deliveryTime(since),
      until: until && deliveryTime(until),
      status,
    } as const;
    await this.commands.run(endpointAggregate, id, replay, call);
    this.jobs.requested(call.workspace, jobId);
    return { jobId };
  }

  /** The contract of an endpoint that is there; undefined when the command is done already, and the endpoint may have gone since. */
  private async contractOf(id: string, call: Call): Promise<Contract | undefined> {
    if (await this.commands.isDone(endpointAggregate, id, call)) return undefined;
    return this.vetting.contract((await this.load(id, call)).config.contract);
  }

  private async load(id: string, call: Call): Promise<ExistingEndpoint> {
    return existingEndpoint((await this.commands.load(endpointAggregate, call.workspace, id)).state);
  }

  private async shown(id: string, asked: Asked<EndpointCommand>, call: Call): Promise<EndpointView> {
    return presentEndpoint(existingEndpoint((await this.change(id, asked, call)).state));
  }

  private async change(id: string, asked: Asked<EndpointCommand>, call: Call): Promise<Handled<Endpoint>> {
    const handled = await this.commands.run(endpointAggregate, id, asked, call);
    await this.delivery.changed(call.workspace, id, handled);
    return handled;
  }
}
