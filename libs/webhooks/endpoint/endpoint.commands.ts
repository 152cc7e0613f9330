import type { Command, Instant } from '#kernel';
import type { DisabledReason, EndpointSettings } from './endpoint.events';

/** A fresh signing secret, encrypted before it comes here. */
interface NewSecret {
  readonly id: string;
  readonly box: string;
}

export type EndpointCommand =
  | Command<
      'RegisterEndpoint',
      EndpointSettings & {
        readonly endpointId: string;
        readonly contract: string;
        /** `now`, an instant or an event id; null is `now`. */
        readonly startFrom: string | null;
        readonly secret: NewSecret;
      }
    >
  | Command<'UpdateEndpoint', { readonly changes: Partial<EndpointSettings> }>
  | Command<'EnableEndpoint'>
  | Command<'DisableEndpoint', { readonly reason: DisabledReason }>
  /** The present secret signs on for `overlapMs`; 0 ends it, and every older one, now. */
  | Command<'RotateSecret', { readonly secret: NewSecret; readonly overlapMs: number }>
  | Command<'DeleteEndpoint'>
  | Command<
      'RequestReplay',
      {
        readonly jobId: string;
        readonly since: Instant;
        readonly until: Instant | null;
        readonly status: string | null;
      }
    >;
