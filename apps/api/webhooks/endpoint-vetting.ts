import { Inject, Injectable } from '@nestjs/common';
import { publicEventId } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import { contractNamed, contracts, unknownTypes, type Contract } from '#webhook-contracts';
import { vetTarget } from '#webhook-sending';
import { parseTime } from '../http/time';
import { invalid } from '../http/problem';
import { Things } from '../reads/things';
import { EventPlaces } from '../stream/event-places';
import { fail } from './webhooks.errors';

const EVENT_ID = /^evt_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** Looks at what an endpoint asks for, before the log hears of it. Each refusal says what would be right. */
@Injectable()
export class EndpointVetting {
  private readonly places: EventPlaces;

  constructor(
    @Inject(ENGINES) private readonly engines: Engines,
    private readonly things: Things,
  ) {
    this.places = new EventPlaces(engines);
  }

  /** Throws TARGET_REFUSED with the reason. */
  target(url: string): void {
    const vetted = vetTarget(url, { sandbox: this.engines.settings.mode === 'sandbox' });
    if (!vetted.ok) throw fail('TARGET_REFUSED', vetted.reason, { reason: vetted.reason });
  }

  /** Throws CONTRACT_UNKNOWN with the contracts there are. */
  contract(name: string): Contract {
    const contract = contractNamed(name);
    if (!contract)
      throw fail('CONTRACT_UNKNOWN', `There is no contract ${name}.`, { contracts: [...contracts.keys()] });
    return contract;
  }

  /** Throws EVENT_TYPE_UNKNOWN with the types that the contract has. */
  eventTypes(contract: Contract, wanted: readonly string[]): void {
    const unknown = unknownTypes(contract, wanted);
    if (unknown.length > 0)
      throw fail('EVENT_TYPE_UNKNOWN', `The contract ${contract.name} has no ${unknown.join(', ')}.`, {
        unknown,
        types: contract.types,
      });
  }

  /** `now`, an Instant, or an event id of this workspace; null is `now`. Throws EVENT_UNKNOWN, and 400 for anything else. */
  async startFrom(given: string | null, workspace: string): Promise<string | null> {
    if (given === null || given === 'now') return given;
    if (given.startsWith('evt_'))
      return (await this.isEvent(given, workspace)) ? given : this.eventOf(given, workspace);
    const time = parseTime(given);
    if (!time)
      throw invalid({ pointer: '/startFrom', message: 'must be now, a time in the form of RFC 3339, or an event id' });
    return time;
  }

  /** Asks the audit log, which holds every event of the workspace. */
  private async isEvent(id: string, workspace: string): Promise<boolean> {
    const uuid = EVENT_ID.exec(id)?.[1];
    if (!uuid) return false;
    await this.things.caughtUp('audit', workspace);
    const found = await this.engines.db
      .inWorkspace(workspace)
      .query('select 1 from read.audit where workspace = $1 and event_id = $2 limit 1', [workspace, uuid]);
    return found.length > 0;
  }

  /** The event that a further message of it (`operation.failed` beside the kind's own) belongs to: nothing follows that message in it. */
  private async eventOf(id: string, workspace: string): Promise<string> {
    const { position } = await this.places.find(workspace, id);
    const [event] = await this.engines.db
      .inWorkspace(workspace)
      .query<{ id: string }>('select event_id as id from read.audit where workspace = $1 and position = $2', [
        workspace,
        position,
      ]);
    if (!event) throw fail('EVENT_UNKNOWN', `There is no event ${id}.`);
    return publicEventId(event.id);
  }
}
