import { Inject, Injectable } from '@nestjs/common';
import { eventAt } from '#event-store';
import { publicEventId, uuidIn } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import { contracts, unknownTypes, type Contract } from '#webhook-contracts';
import { vetTarget } from '#webhook-sending';
import { parseTime } from '../http/time';
import { invalid } from '../http/problem';
import { EventPlaces } from '../stream/event-places';
import { fail } from './webhooks.errors';

/** Looks at what an endpoint asks for, before the log hears of it. Each refusal says what would be right. */
@Injectable()
export class EndpointVetting {
  private readonly places: EventPlaces;

  constructor(@Inject(ENGINES) private readonly engines: Engines) {
    this.places = new EventPlaces(engines);
  }

  /** Throws TARGET_REFUSED with the reason. */
  target(url: string): void {
    const vetted = vetTarget(url, { sandbox: this.engines.settings.mode === 'sandbox' });
    if (!vetted.ok) throw fail('TARGET_REFUSED', vetted.reason, { reason: vetted.reason });
  }

  /** Throws CONTRACT_UNKNOWN with the contracts there are. */
  contract(name: string): Contract {
    const contract = contracts.get(name);
    if (!contract)
      throw fail('CONTRACT_UNKNOWN', `There is no contract ${name}.`, { contracts: [...contracts.keys()] });
    return contract;
  }

  /** Throws EVENT_TYPE_UNKNOWN with the types that the contract has. */
  eventTypes(contract: Contract, wanted: readonly string[]): void {
    const unknown = unknownTypes(contract, wanted);
    if (unknown.length > 0) throw typesUnknown(contract, unknown);
  }

  /** Throws EVENT_TYPE_UNKNOWN unless it is one type of the contract, by its whole name. */
  eventType(contract: Contract, type: string): void {
    if (!contract.types.includes(type)) throw typesUnknown(contract, [type]);
  }

  /** `now`, an Instant, or a message of this workspace; null is `now`. Throws EVENT_UNKNOWN, and 400 for anything else. */
  async startFrom(given: string | null, workspace: string): Promise<string | null> {
    if (given === null || given === 'now') return given;
    if (given.startsWith('evt_')) return this.messageOf(given, workspace);
    const time = parseTime(given);
    if (!time)
      throw invalid({ pointer: '/startFrom', message: 'must be now, a time in the form of RFC 3339, or an event id' });
    return time;
  }

  /**
   * The message that an id of a webhook names, as `evt_<event>` or `evt_<event>/evt_<message>`: the first or a further one of its
   * event (`operation.failed`, the second platform of `PostScheduled`), or what a delivery brought, where a contract names those.
   */
  private async messageOf(id: string, workspace: string): Promise<string> {
    const brought = await this.broughtBy(id, workspace);
    const { position } = brought ?? (await this.places.find(workspace, id));
    const event = await eventAt(this.engines.store, position, workspace);
    if (!event) throw fail('EVENT_UNKNOWN', `There is no event ${id}.`);
    const first = publicEventId(event.id);
    const message = brought ? publicEventId(brought.message) : id;
    return message === first ? first : `${first}/${message}`;
  }

  /** What the log has no id of: a delivery (`post-ez`), or a part of what a contract tells in several messages (`postiz`). */
  private async broughtBy(id: string, workspace: string): Promise<{ position: number; message: string } | undefined> {
    const uuid = uuidIn('evt', id);
    if (!uuid) return undefined;
    const [row] = await this.engines.db.inWorkspace(workspace).query<{ position: number; message: string }>(
      `select d.position, d.event_id as message from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint
       where d.id = $1 and e.workspace = $2
       union all
       select d.position, d.message_id from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint
       where d.message_id = $1 and d.message_id <> d.event_id and d.message_id <> d.id and e.workspace = $2
       limit 1`,
      [uuid, workspace],
    );
    return row;
  }
}

const typesUnknown = (contract: Contract, unknown: readonly string[]): Error =>
  fail('EVENT_TYPE_UNKNOWN', `The contract ${contract.name} has no ${unknown.join(', ')}.`, {
    unknown,
    types: contract.types,
  });
