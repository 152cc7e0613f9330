import { Inject, Param, Query } from '@nestjs/common';
import { NO_STREAM } from '#event-store';
import { ENGINES, type Engines } from '#platform';
import { DeliveriesQuery, type DeliveryDetail, type DeliveryView, type Page } from '#read-models';
import { deliveryAggregate, endpointAggregate, openEndpoint } from '#webhooks';
import { Commands } from '../commands/commands';
import { TheCall, type Call } from '../http/call';
import { DEFAULT_LIMIT, RevisionQuery } from '../http/page.query';
import { problem } from '../http/problem';
import { ApiController, Read, Write } from '../http/routes';
import { ReadTurns } from '../reads/read-turns';
import { DeliveriesInput, deliveryAnswer, deliveryDetailAnswer, deliveryPage, jobAnswer } from './deliveries.dto';
import { deliveryTime } from './delivery-time';
import { DeliveryRevisions } from './delivery-revisions';
import { Jobs } from './jobs';
import { lookAgain } from './look-again';
import { fail } from './webhooks.errors';

/** How long a DELETE waits for the delivery service to have done it. */
const DISCARD_WAIT_MS = 5_000;

@ApiController('webhooks', 'Webhooks')
export class DeliveriesController {
  private readonly deliveries: DeliveriesQuery;
  private readonly keys: Engines['keys'];

  constructor(
    private readonly commands: Commands,
    private readonly jobs: Jobs,
    private readonly revisions: DeliveryRevisions,
    private readonly turns: ReadTurns,
    @Inject(ENGINES) { db, keys }: Engines,
  ) {
    this.keys = keys;
    this.deliveries = new DeliveriesQuery(db);
  }

  @Read('deliveries', {
    scope: 'webhooks',
    query: DeliveriesInput,
    answer: deliveryPage,
    summary: 'List deliveries, newest first',
  })
  list(
    @Query() { limit = DEFAULT_LIMIT, cursor, ...filters }: DeliveriesInput,
    @TheCall() call: Call,
  ): Promise<Page<DeliveryView>> {
    const from = filters.from && deliveryTime(filters.from);
    const to = filters.to && deliveryTime(filters.to);
    return this.turns.page(call.workspace, () =>
      this.deliveries.list(call.workspace, { ...filters, from, to }, { limit, cursor }),
    );
  }

  @Read('deliveries/:id', {
    scope: 'webhooks',
    query: RevisionQuery,
    answer: deliveryDetailAnswer,
    tagged: true,
    errors: ['DELIVERY_NOT_FOUND', 'READ_MODEL_BEHIND'],
    summary: 'One delivery, with its body and every attempt',
    description:
      'The newest hundred attempts come with the `response` of the receiver. Its events are that it was parked, replayed or discarded: until there is one it has no ETag.',
  })
  async get(
    @Param('id') id: string,
    @Query() { minRevision = NO_STREAM }: RevisionQuery,
    @TheCall() call: Call,
  ): Promise<DeliveryDetail & { erased?: true }> {
    // What is not there is not waited for.
    if (minRevision > NO_STREAM) await this.find(id, call);
    // Before it is read: what is shown may be newer than it says, and never older.
    const revision = await this.revisions.seen(call, id, minRevision);
    const found = await this.deliveries.get(call.workspace, id);
    if (!found) throw fail('DELIVERY_NOT_FOUND');
    call.revision(revision);
    const { text: body, erased } = await this.keys.open(call.workspace, found.body);
    return { ...found, body, ...(erased && { erased }) };
  }

  @Write('deliveries/:id/replay', {
    scope: 'webhooks',
    status: 202,
    answer: deliveryAnswer,
    tagged: true,
    errors: ['DELIVERY_NOT_FOUND', 'ENDPOINT_DISABLED'],
    summary: 'Send it again: same id and bytes, a new ladder',
  })
  async replay(@Param('id') id: string, @TheCall() call: Call): Promise<DeliveryView> {
    const delivery = await this.find(id, call);
    if (!(await this.commands.isDone(deliveryAggregate, id, call)))
      openEndpoint((await this.commands.load(endpointAggregate, call.workspace, delivery.endpointId)).state);
    await this.commands.run(
      deliveryAggregate,
      id,
      { type: 'RequestDeliveryReplay', endpointId: delivery.endpointId, deliveryId: id },
      call,
    );
    // What it was before is over, also where the delivery service has yet to hear of it.
    return { ...delivery, status: 'pending', reason: undefined, nextAttemptAt: undefined };
  }

  @Write('deliveries/:id', {
    method: 'DELETE',
    scope: 'webhooks',
    status: 204,
    tagged: true,
    errors: ['DELIVERY_NOT_FOUND', 'DELIVERY_NOT_DISCARDABLE', 'DISCARD_NOT_CONFIRMED'],
    summary: 'Do not send it',
  })
  async discard(@Param('id') id: string, @TheCall() call: Call): Promise<void> {
    const delivery = await this.find(id, call);
    // By a try of this request that did not get to answer: its revision is the answer's.
    const isOwn = await this.commands.isDone(deliveryAggregate, id, call);
    if (!isOwn && isDiscarded(delivery)) return;
    const { endpointId } = delivery;
    await this.commands.run(deliveryAggregate, id, { type: 'DiscardDelivery', endpointId, deliveryId: id }, call);
    const isDone = async () => isDiscarded(await this.find(id, call)) || undefined;
    if (await lookAgain(isDone, DISCARD_WAIT_MS)) return;
    throw problem('DISCARD_NOT_CONFIRMED', { headers: { 'retry-after': '1' } });
  }

  @Read('jobs/:id', { scope: 'webhooks', answer: jobAnswer, errors: ['JOB_NOT_FOUND'], summary: 'How far a replay is' })
  async job(
    @Param('id') id: string,
    @TheCall() call: Call,
  ): Promise<{ status: string; total: number; done: number; error?: string }> {
    const found = (await this.deliveries.job(call.workspace, id)) ?? (await this.jobs.pending(call.workspace, id));
    if (!found) throw fail('JOB_NOT_FOUND');
    const { status, total, done, error } = found;
    return { status, total, done, ...(error !== undefined && { error }) };
  }

  private async find(id: string, call: Call): Promise<DeliveryView> {
    const found = await this.deliveries.find(call.workspace, id);
    if (!found) throw fail('DELIVERY_NOT_FOUND');
    return found;
  }
}

/** Throws DELIVERY_NOT_DISCARDABLE once it was delivered. */
function isDiscarded({ status }: DeliveryView): boolean {
  if (status === 'delivered') throw fail('DELIVERY_NOT_DISCARDABLE');
  return status === 'discarded';
}
