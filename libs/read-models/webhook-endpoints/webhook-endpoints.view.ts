import type { EndpointConfig, EndpointEvent } from '#webhooks';
import { ownKey, type KeyedView } from '../keyed/keyed-view';

/** An endpoint without its secrets: they are in no view. */
export interface EndpointRow {
  readonly endpointId: string;
  readonly config: Omit<EndpointConfig, 'secrets'>;
  readonly isDeleted: boolean;
}

/** An endpoint as `GET /webhooks/endpoints/:id` answers. */
export interface EndpointView {
  readonly id: string;
  readonly targetUrl: string;
  readonly eventTypes: readonly string[];
  readonly contract: string;
  readonly description: string | null;
  readonly ordered: boolean;
  readonly rateLimitPerSecond: number | null;
  readonly latestOnly: boolean;
  readonly status: 'enabled' | 'disabled';
  /** Only while disabled. */
  readonly disabledReason?: string;
  readonly createdAt: string;
}

export const presentEndpoint = ({ endpointId, config }: Pick<EndpointRow, 'endpointId' | 'config'>): EndpointView => ({
  id: endpointId,
  targetUrl: config.targetUrl,
  eventTypes: config.eventTypes,
  contract: config.contract,
  description: config.description,
  ordered: config.ordered,
  rateLimitPerSecond: config.rateLimitPerSecond,
  latestOnly: config.latestOnly,
  status: config.status,
  ...(config.disabledReason !== null && { disabledReason: config.disabledReason }),
  createdAt: config.createdAt,
});

function evolve(row: EndpointRow | undefined, event: EndpointEvent): EndpointRow {
  switch (event.type) {
    case 'EndpointRegistered':
    case 'EndpointUpdated':
    case 'EndpointEnabled':
    case 'EndpointDisabled':
    case 'SecretRotated':
    case 'EndpointDeleted': {
      const { secrets: _, ...config } = event.data.config;
      return { endpointId: event.data.endpointId, config, isDeleted: event.type === 'EndpointDeleted' };
    }
    case 'ReplayRequested':
      if (!row) throw new Error(`A replay was asked of ${event.data.endpointId} before it was registered`);
      return row;
  }
}

export const webhookEndpointsView: KeyedView<EndpointRow, EndpointView> = {
  name: 'webhook_endpoints',
  shape: 1,
  category: 'webhook_endpoint',
  keys: ownKey,
  evolve: (row, event) => evolve(row, event as unknown as EndpointEvent),
  isGone: ({ isDeleted }) => isDeleted,
  columns: {
    status: { type: 'text', of: ({ config }) => config.status },
    contract: { type: 'text', of: ({ config }) => config.contract },
  },
  filters: { status: { column: 'status', how: 'is' }, contract: { column: 'contract', how: 'is' } },
  present: presentEndpoint,
};
