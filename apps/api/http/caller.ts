import type { Dto } from './readings';
import type { Scope } from './scopes';

/** Who calls: what a key stands for. */
export interface Caller {
  readonly workspace: string;
  readonly keyId: string;
  readonly kind: 'service' | 'client';
  readonly scopes: ReadonlySet<string>;
}

/** What a request belongs to beside its key. */
export interface Trace {
  readonly correlationId: string;
  readonly traceparent?: string;
}

/** An Idempotency-Key that this request holds: its answer will be kept under it. */
export interface Reservation {
  readonly workspace: string;
  readonly key: string;
  /** When the key was first used, epoch ms: feeds every id that is derived. */
  readonly at: number;
  readonly epoch: number;
  readonly commandId: string;
  /** An earlier holder died or failed: its effect may be in the log already. */
  readonly isRetaken: boolean;
}

/** What a route says of itself to the hooks: Fastify keeps it as the route's `config`. */
export interface RouteContract {
  readonly scope: Scope;
  readonly body?: Dto;
  readonly query?: Dto;
  /** The codes for ids in the path that are of nothing, in their order; none where a thing comes into being with its first command. */
  readonly absent?: readonly string[];
  /** Scopes that a body hands on, checked or not: the caller must have them. */
  readonly gives?: (body: unknown) => readonly Scope[];
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
    trace: Trace | null;
    reservation: Reservation | null;
  }
  interface FastifyContextConfig {
    api?: RouteContract;
  }
}
