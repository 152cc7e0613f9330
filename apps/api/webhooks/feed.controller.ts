import { Inject, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import { DeliveriesQuery, type FeedItem } from '#read-models';
import { signHeaders, type Contract } from '#webhook-contracts';
import { endpointAggregate, endpointErrors } from '#webhooks';
import { Commands } from '../commands/commands';
import { TheCall, type Call } from '../http/call';
import { DEFAULT_LIMIT } from '../http/page.query';
import { invalid } from '../http/problem';
import { ApiController, Read } from '../http/routes';
import { ReadTurns } from '../reads/read-turns';
import { feedAnswer, FeedQuery } from './deliveries.dto';
import { EndpointSecrets } from './endpoint-secrets';
import { EndpointVetting } from './endpoint-vetting';

const fail = errorsOf(endpointErrors);

/** One message of the feed: the bytes, and headers that verify now. */
interface SignedItem {
  readonly sequence: number;
  readonly id: string;
  readonly type: string;
  readonly createdAt: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly erased?: true;
}

@ApiController('webhooks/endpoints', 'Webhooks')
export class FeedController {
  private readonly deliveries: DeliveriesQuery;
  private readonly keys: Engines['keys'];

  constructor(
    private readonly commands: Commands,
    private readonly vetting: EndpointVetting,
    private readonly secrets: EndpointSecrets,
    private readonly turns: ReadTurns,
    @Inject(ENGINES) { db, keys }: Engines,
  ) {
    this.keys = keys;
    this.deliveries = new DeliveriesQuery(db);
  }

  @Read(':id/events', {
    scope: 'webhooks',
    query: FeedQuery,
    answer: feedAnswer,
    errors: ['ENDPOINT_NOT_FOUND'],
    summary: 'Pull what the endpoint should have received',
  })
  async pull(
    @Param('id') id: string,
    @Query() { after = 0, cursor, limit = DEFAULT_LIMIT }: FeedQuery,
    @TheCall() call: Call,
  ): Promise<{ data: SignedItem[]; nextCursor: string | null }> {
    const { state } = await this.commands.load(endpointAggregate, call.workspace, id);
    if (state.status !== 'registered') throw fail('ENDPOINT_NOT_FOUND');
    const from = cursor === undefined ? after : placeIn(cursor);
    // The delivery service may not have heard of an endpoint that was registered a moment ago: then it has had nothing.
    const page = await this.turns.page(call.workspace, () =>
      this.deliveries.feed(call.workspace, id, { after: from, limit }),
    );
    const contract = this.vetting.contract(state.config.contract);
    const secrets = this.secrets.live(state.config.secrets, call.at);
    const signed = async ({ sequence, id, type, createdAt, body: sealed }: FeedItem): Promise<SignedItem> => {
      const { text: body, erased } = await this.keys.open(call.workspace, sealed);
      const headers = headersOf(contract, secrets, { id, type, body, sequence }, call);
      return { sequence, id, type, createdAt, headers, body, ...(erased && { erased }) };
    };
    const data = await Promise.all((page?.data ?? []).map(signed));
    return { data, nextCursor: page?.nextCursor ?? null };
  }
}

const headersOf = (
  contract: Contract,
  secrets: readonly string[],
  signable: { id: string; type: string; body: string; sequence: number },
  { at }: Call,
): Record<string, string> =>
  signHeaders(contract, secrets, { ...signable, timestampSeconds: Math.floor(Date.parse(at) / 1_000) });

function placeIn(cursor: string): number {
  if (!/^\d{1,15}$/.test(cursor)) throw invalid({ pointer: '/cursor', message: 'is not a cursor of this list' });
  return Number(cursor);
}
