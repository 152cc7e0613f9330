import { ascendingUuids, millisIn, uuidv7 } from '#kernel';
import type { CoreMessage } from '#public-messages';
import type { Contract, Rendered } from '#webhook-contracts';
import type { Endpoint, Verdict } from '../endpoints/endpoint';
import type { ContractGroup } from '../endpoints/endpoint-directory';
import { coalesceKey } from './coalesce';

/** Where a new delivery waits (`delivery.intake` knows the numbers). */
export const Place = { memory: 0, retry: 1, queue: 2, discarded: 3 } as const;
export type PlaceNumber = (typeof Place)[keyof typeof Place];

/** A list of deliveries, newest first, shows them by their ids: so these go with the sequence numbers. */
const deliveryId = ascendingUuids();

/** A delivery that is to be written. */
export interface DraftDelivery {
  readonly id: string;
  /** Ordinals (from 0) into the draft's messages and bodies. */
  readonly message: number;
  readonly body: number;
  readonly endpoint: Endpoint;
  readonly rendered: Rendered;
  readonly place: PlaceNumber;
  readonly coalesce: string | null;
}

/** Messages with what they become, ready for one statement. */
export class Draft {
  readonly messages: CoreMessage[] = [];
  readonly bodies: { readonly message: number; readonly id: string; readonly body: string }[] = [];
  readonly deliveries: DraftDelivery[] = [];
  /** Characters of all bodies. */
  size = 0;

  constructor(private readonly now: () => number) {}

  /**
   * Renders `message` once per contract (once per delivery where the id is per delivery), for the endpoints that `verdict`
   * lets have it. `placeOf` says where each waits.
   */
  add(
    message: CoreMessage,
    groups: readonly ContractGroup[],
    verdict: (endpoint: Endpoint, rendered: Rendered) => Verdict,
    placeOf: (endpoint: Endpoint) => PlaceNumber,
  ): void {
    let ordinal = -1;
    for (const { contract, endpoints } of groups) {
      for (const rendered of rendering(contract, message)) {
        let shared = -1;
        for (const endpoint of endpoints) {
          if (message.aboutEndpoint === endpoint.row.id) continue;
          const decided = verdict(endpoint, rendered);
          if (decided === 'skip') continue;
          if (ordinal < 0) ordinal = this.messages.push(message) - 1;
          const id = deliveryId(this.now());
          const own = contract.idPerDelivery ? perDelivery(contract, message, rendered, id) : rendered;
          const body = own === rendered && shared >= 0 ? shared : this.body(ordinal, own, id);
          if (own === rendered) shared = body;
          const place = decided === 'discard' ? Place.discarded : placeOf(endpoint);
          this.deliveries.push({
            id,
            message: ordinal,
            body,
            endpoint,
            rendered: own,
            place,
            coalesce: coalesceKey(endpoint, own.type, message.key),
          });
        }
      }
    }
  }

  /** The same without some of its deliveries. */
  without(left: (delivery: DraftDelivery) => boolean): Draft {
    const draft = new Draft(this.now);
    draft.messages.push(...this.messages);
    draft.bodies.push(...this.bodies);
    draft.deliveries.push(...this.deliveries.filter((delivery) => !left(delivery)));
    return draft;
  }

  /** Of the same day as its first delivery, also where ids are ahead of a clock: a day is dropped with all that is in it. */
  private body(message: number, { body }: Rendered, delivery: string): number {
    this.size += body.length;
    return this.bodies.push({ message, id: uuidv7(millisIn(delivery)), body }) - 1;
  }
}

/** A message that this build's contracts cannot put into words. */
export class UnrenderableError extends Error {
  constructor(
    readonly messageId: string,
    cause: Error,
  ) {
    super(cause.message, { cause });
    this.name = 'UnrenderableError';
  }
}

function rendering(contract: Contract, message: CoreMessage): readonly Rendered[] {
  try {
    return contract.render(message);
  } catch (error) {
    throw new UnrenderableError(message.id, error as Error);
  }
}

function perDelivery(contract: Contract, message: CoreMessage, { index }: Rendered, id: string): Rendered {
  const own = contract.render(message, { deliveryId: `dlv_${id}` }).find((rendered) => rendered.index === index);
  if (!own) throw new Error(`Contract ${contract.name} renders ${message.type} differently for a delivery`);
  return own;
}
