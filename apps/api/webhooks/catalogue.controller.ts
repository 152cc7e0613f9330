import { Query } from '@nestjs/common';
import { catalogue, contracts, type CatalogueEntry } from '#webhook-contracts';
import { Text } from '../http/fields';
import { ApiController, Read } from '../http/routes';
import { answer, anything, list, object, oneOf, text, whole } from '../openapi/schema';
import { EndpointVetting } from './endpoint-vetting';

export class EventTypesQuery {
  @Text({ max: 100, optional: true, description: 'Of this contract alone' })
  contract?: string;
}

const contractsAnswer = answer(
  'WebhookContracts',
  'Every contract',
  object({
    data: list(
      object({
        name: text,
        version: whole,
        types: list(text),
        signature: oneOf('standard-webhooks', 'post-ez'),
        retryDelaysSeconds: list(whole),
        timeoutSeconds: whole,
      }),
    ),
  }),
);
const eventTypesAnswer = answer(
  'WebhookEventTypes',
  'Every event type, with the schema and an example of its whole body',
  object({
    data: list(object({ contract: text, type: text, description: text, schema: anything, example: anything })),
  }),
);

interface ContractView {
  readonly name: string;
  readonly version: number;
  readonly types: readonly string[];
  readonly signature: string;
  readonly retryDelaysSeconds: readonly number[];
  readonly timeoutSeconds: number;
}

@ApiController('webhooks', 'Webhooks')
export class CatalogueController {
  constructor(private readonly vetting: EndpointVetting) {}

  @Read('contracts', { scope: 'webhooks', answer: contractsAnswer, summary: 'The contracts an endpoint can ask for' })
  contracts(): { data: ContractView[] } {
    const data = [...contracts.values()].map(
      ({ name, version, types, signature, retryDelaysSeconds, timeoutSeconds }) => ({
        name,
        version,
        types,
        signature,
        retryDelaysSeconds,
        timeoutSeconds,
      }),
    );
    return { data };
  }

  @Read('event-types', {
    scope: 'webhooks',
    query: EventTypesQuery,
    answer: eventTypesAnswer,
    errors: ['CONTRACT_UNKNOWN'],
    summary: 'The event types of the contracts',
  })
  eventTypes(@Query() { contract }: EventTypesQuery): { data: CatalogueEntry[] } {
    return { data: catalogue(contract === undefined ? undefined : this.vetting.contract(contract)) };
  }
}
