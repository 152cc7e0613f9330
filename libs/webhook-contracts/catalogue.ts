import type { TSchema } from '@sinclair/typebox';
import { instant, publicEventId, systemClock, uuidv7, type Instant } from '#kernel';
import { coreTypes, TOPICS, type CoreMessage, type CoreType, type CoreTypeDefinition } from '#public-messages';
import type { Contract, Rendered } from './contract';
import { contracts } from './registry';

export interface CatalogueEntry {
  readonly contract: string;
  readonly type: string;
  readonly description: string;
  /** JSON Schema (2020-12) of the whole body. */
  readonly schema: TSchema;
  /** A whole body. */
  readonly example: unknown;
}

const EXAMPLE_EVENT = 'evt_019a5b1c-0f00-8000-8000-000000000001';
const EXAMPLE_WORKSPACE = 'ws_789';
const EXAMPLE_CORRELATION = 'cor_019a5b1c';
const EXAMPLE_TIME = instant('2026-04-22T14:00:00.000Z');
const EXAMPLE_DELIVERY = 'dlv_019a5b1c-0f00-7000-8000-000000000001';

/** When and where a sample is asked for, and what by. */
interface Occasion {
  readonly at?: Instant;
  readonly workspace?: string;
  readonly correlationId?: string;
}

/** The example of a core type as a message, of workspace `ws_789` unless another is named. */
export function exampleMessage(
  type: CoreType,
  {
    id = EXAMPLE_EVENT,
    at: createdAt = EXAMPLE_TIME,
    workspace = EXAMPLE_WORKSPACE,
    correlationId = EXAMPLE_CORRELATION,
  }: Occasion & { readonly id?: string } = {},
): CoreMessage {
  const { topic, example, facts, exampleKey } = coreTypes[type] as CoreTypeDefinition;
  const { region } = example as { region?: unknown };
  return {
    id,
    type,
    topic: TOPICS[topic],
    workspace,
    key: exampleKey,
    createdAt,
    dataJson: JSON.stringify(example),
    position: 1,
    index: 0,
    actor: 'usr_owner123',
    correlationId,
    isWebhook: true,
    ...(typeof region === 'string' && { region }),
    ...(facts !== undefined && { factsJson: JSON.stringify(facts) }),
  };
}

/** For each type of a contract, the first core type whose example becomes it. */
function originsOf(contract: Contract): ReadonlyMap<string, CoreType> {
  const origins = new Map<string, CoreType>();
  for (const core of Object.keys(coreTypes) as CoreType[]) {
    for (const { type } of contract.render(exampleMessage(core))) if (!origins.has(type)) origins.set(type, core);
  }
  return origins;
}

const originsByContract = new Map<Contract, ReadonlyMap<string, CoreType>>();
function originOf(contract: Contract, type: string): CoreType | undefined {
  let origins = originsByContract.get(contract);
  if (!origins) originsByContract.set(contract, (origins = originsOf(contract)));
  return origins.get(type);
}

/** The example of a type in a contract's words; with fresh ids and the present time it is what `POST …/test` sends. */
function exampleOf(
  contract: Contract,
  type: string,
  message: (origin: CoreType) => CoreMessage,
  deliveryId: string,
): Rendered {
  const origin = originOf(contract, type);
  const rendered = origin && contract.render(message(origin), { deliveryId }).find((each) => each.type === type);
  if (!rendered) throw new RangeError(`The contract ${contract.name} has no type ${type}`);
  return rendered;
}

/**
 * A sample with fresh ids, for the test of an endpoint: of its workspace, as every webhook to it is, and of the request that asks for it. A type
 * that the contract lacks throws a RangeError: ask `unknownTypes` first.
 */
export const sample = (contract: Contract, type = 'webhook.test', occasion: Occasion = {}): Rendered =>
  exampleOf(
    contract,
    type,
    (origin) => exampleMessage(origin, { at: systemClock(), ...occasion, id: publicEventId(uuidv7()) }),
    `dlv_${uuidv7()}`,
  );

/** Every type of every contract, or of one. */
export const catalogue = (only?: Contract): CatalogueEntry[] =>
  (only ? [only] : [...contracts.values()]).flatMap((contract) =>
    contract.types.map((type) => ({
      contract: contract.name,
      type,
      description: contract.describe(type) ?? '',
      schema: contract.schemaOf(type)!,
      example: JSON.parse(
        exampleOf(contract, type, (origin) => exampleMessage(origin), EXAMPLE_DELIVERY).body,
      ) as unknown,
    })),
  );
