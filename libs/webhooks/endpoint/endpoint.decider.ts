import { decider, plus, type Instant } from '#kernel';
import type { EndpointCommand } from './endpoint.commands';
import { ensure, fail } from './endpoint.errors';
import {
  signsAt,
  type EndpointConfig,
  type EndpointEvent,
  type EndpointSecret,
  type EndpointSettings,
} from './endpoint.events';

export interface ExistingEndpoint {
  readonly status: 'registered';
  readonly endpointId: string;
  readonly config: EndpointConfig;
}

export type Endpoint = { readonly status: 'absent' } | { readonly status: 'deleted' } | ExistingEndpoint;

/** Each that signs makes the headers of every webhook longer, which receivers bound, and every event of the endpoint. */
const MOST_SECRETS = 10;

/** Every event carries the whole configuration after it, so folding is taking it over. */
const take = (_: Endpoint, { endpointId, config }: { endpointId: string; config: EndpointConfig }): Endpoint => ({
  status: 'registered',
  endpointId,
  config,
});

export const endpointDecider = decider<EndpointCommand, EndpointEvent, Endpoint>({
  initial: { status: 'absent' },
  decide: {
    RegisterEndpoint: (command, endpoint) => {
      ensure(endpoint.status === 'absent', 'ENDPOINT_ALREADY_EXISTS');
      const { at, endpointId, contract, startFrom, secret } = command;
      const config: EndpointConfig = {
        ...settingsOf(command),
        contract,
        startFrom,
        status: 'enabled',
        disabledReason: null,
        createdAt: at,
        secrets: [{ ...secret, createdAt: at, expiresAt: null }],
      };
      return [{ type: 'EndpointRegistered', data: { endpointId, config } }];
    },

    UpdateEndpoint: ({ changes }, endpoint) => {
      const { endpointId, config } = existingEndpoint(endpoint);
      const changed = differences(config, changes);
      if (Object.keys(changed).length === 0) return [];
      return [{ type: 'EndpointUpdated', data: { endpointId, changed, config: { ...config, ...changed } } }];
    },

    EnableEndpoint: (_, endpoint) => {
      const { endpointId, config } = existingEndpoint(endpoint);
      if (config.status === 'enabled') return [];
      return [
        {
          type: 'EndpointEnabled',
          data: { endpointId, config: { ...config, status: 'enabled', disabledReason: null } },
        },
      ];
    },

    DisableEndpoint: ({ reason }, endpoint) => {
      const { endpointId, config } = existingEndpoint(endpoint);
      if (config.status === 'disabled') return [];
      return [
        {
          type: 'EndpointDisabled',
          data: { endpointId, reason, config: { ...config, status: 'disabled', disabledReason: reason } },
        },
      ];
    },

    RotateSecret: ({ at, secret, overlapMs }, endpoint) => {
      const { endpointId, config } = existingEndpoint(endpoint);
      const overlapUntil = plus(at, overlapMs);
      const secrets = [{ ...secret, createdAt: at, expiresAt: null }, ...overlapping(config.secrets, at, overlapUntil)];
      ensure(secrets.length <= MOST_SECRETS, 'SECRETS_OVERLAP');
      return [
        {
          type: 'SecretRotated',
          data: { endpointId, secretId: secret.id, overlapUntil, config: { ...config, secrets } },
        },
      ];
    },

    DeleteEndpoint: (_, endpoint) => {
      const { endpointId, config } = existingEndpoint(endpoint);
      return [{ type: 'EndpointDeleted', data: { endpointId, config: { ...config, secrets: [] } } }];
    },

    RequestReplay: ({ jobId, since, until, status }, endpoint) => {
      const { endpointId } = openEndpoint(existingEndpoint(endpoint));
      return [{ type: 'ReplayRequested', data: { endpointId, jobId, since, until, status } }];
    },
  },
  evolve: {
    EndpointRegistered: take,
    EndpointUpdated: take,
    EndpointEnabled: take,
    EndpointDisabled: take,
    SecretRotated: take,
    EndpointDeleted: () => ({ status: 'deleted' }),
    ReplayRequested: (endpoint) => endpoint,
  },
});

/** An endpoint that is there. */
export function existingEndpoint(endpoint: Endpoint): ExistingEndpoint {
  if (endpoint.status !== 'registered') throw fail('ENDPOINT_NOT_FOUND');
  return endpoint;
}

/** An endpoint that is sent to: a replay would else be taken and never be done. */
export function openEndpoint(endpoint: Endpoint): ExistingEndpoint {
  ensure(endpoint.status === 'registered' && endpoint.config.status === 'enabled', 'ENDPOINT_DISABLED');
  return endpoint;
}

const settingsOf = ({
  targetUrl,
  eventTypes,
  description,
  ordered,
  rateLimitPerSecond,
  latestOnly,
}: EndpointSettings): EndpointSettings => ({
  targetUrl,
  eventTypes,
  description,
  ordered,
  rateLimitPerSecond,
  latestOnly,
});

/** The changes that change something. */
const differences = (now: EndpointSettings, changes: Partial<EndpointSettings>): Partial<EndpointSettings> =>
  Object.fromEntries(
    Object.entries(changes).filter(
      ([name, value]) =>
        value !== undefined && JSON.stringify(value) !== JSON.stringify(now[name as keyof EndpointSettings]),
    ),
  );

/** The older secrets that still sign beside a new one. An overlap never outlives the one promised before. */
const overlapping = (secrets: readonly EndpointSecret[], at: Instant, until: Instant): EndpointSecret[] =>
  secrets
    .map((secret) => ({
      ...secret,
      expiresAt: secret.expiresAt !== null && secret.expiresAt < until ? secret.expiresAt : until,
    }))
    .filter((secret) => signsAt(secret, at));
