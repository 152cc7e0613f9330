import type { EventSchemas, Instant, Message } from '#kernel';

export type DisabledReason = 'manual' | 'gone' | 'failing';

/** A signing secret, encrypted; the newest comes first in a configuration. */
export interface EndpointSecret {
  readonly id: string;
  readonly box: string;
  readonly createdAt: Instant;
  /** From then on it signs no more; null for the present one. */
  readonly expiresAt: Instant | null;
}

/** Whether a secret signs what is sent at `at`. */
export const signsAt = ({ expiresAt }: Pick<EndpointSecret, 'expiresAt'>, at: Instant): boolean =>
  expiresAt === null || expiresAt > at;

/** What PATCH may change. */
export interface EndpointSettings {
  readonly targetUrl: string;
  /** Exact names, `*` suffixes, `*`. */
  readonly eventTypes: readonly string[];
  readonly description: string | null;
  /** Deliveries keep log order per entity. */
  readonly ordered: boolean;
  readonly rateLimitPerSecond: number | null;
  /** While an entity's event waits, a newer one takes its place. */
  readonly latestOnly: boolean;
}

/** The whole configuration, as it stands after the event that carries it. */
export interface EndpointConfig extends EndpointSettings {
  readonly contract: string;
  /** `now`, an instant or an event id; null is `now`. */
  readonly startFrom: string | null;
  readonly status: 'enabled' | 'disabled';
  readonly disabledReason: DisabledReason | null;
  readonly createdAt: Instant;
  readonly secrets: readonly EndpointSecret[];
}

interface OfEndpoint {
  readonly endpointId: string;
  readonly config: EndpointConfig;
}

export type EndpointEvent =
  | Message<'EndpointRegistered', OfEndpoint>
  /** `changed` holds only the settings that have a new value. */
  | Message<'EndpointUpdated', OfEndpoint & { readonly changed: Partial<EndpointSettings> }>
  | Message<'EndpointEnabled', OfEndpoint>
  | Message<'EndpointDisabled', OfEndpoint & { readonly reason: DisabledReason }>
  /** `overlapUntil`: when the secret before it stops signing. */
  | Message<'SecretRotated', OfEndpoint & { readonly secretId: string; readonly overlapUntil: Instant }>
  | Message<'EndpointDeleted', OfEndpoint>
  /** Send again what was made for this endpoint in [since, until). */
  | Message<
      'ReplayRequested',
      {
        readonly endpointId: string;
        readonly jobId: string;
        readonly since: Instant;
        readonly until: Instant | null;
        /** Only deliveries in this status; null for all. */
        readonly status: string | null;
      }
    >;

export const endpointEvents: EventSchemas<EndpointEvent> = {
  EndpointRegistered: { version: 1 },
  EndpointUpdated: { version: 1 },
  EndpointEnabled: { version: 1 },
  EndpointDisabled: { version: 1 },
  SecretRotated: { version: 1 },
  EndpointDeleted: { version: 1 },
  ReplayRequested: { version: 1 },
};
