import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { NO_STREAM, staleRevision, type CommandContext } from '#event-store';
import { derivedId, newId, systemClock, uuidv7, type Clock, type IdPrefix, type Instant } from '#kernel';
import { actorOf, expectedRevisions, waitOf } from './headers';
import { problem } from './problem';

/** One request, as a controller needs it: who, when, which command, and the headers of the answer. */
export class Call {
  readonly context: CommandContext;
  /** If-Match: the thing must be at one of these revisions. */
  readonly expected: readonly number[] | undefined;

  constructor(
    private readonly request: FastifyRequest,
    private readonly reply: FastifyReply,
  ) {
    const { caller, trace, reservation, headers } = request;
    // Only a route that the hooks know has a caller: whatever slips past them is refused here.
    if (!caller || !trace) throw problem('UNAUTHORIZED');
    this.expected = expectedRevisions(headers);
    this.context = {
      workspace: caller.workspace,
      actor: actorOf(headers) ?? caller.keyId,
      correlationId: trace.correlationId,
      causationId: null,
      commandId: reservation?.commandId ?? uuidv7(),
      // Of this try: the one before, under the same Idempotency-Key, may have failed hours ago.
      at: clockOf(request)(),
      ...(trace.traceparent !== undefined && { traceparent: trace.traceparent }),
      ...(reservation && { repeatable: true, isRetaken: reservation.isRetaken }),
    };
  }

  /** The same call, acting in another workspace: for the one command that makes it. */
  within(workspace: string): Call {
    return Object.assign(Object.create(Call.prototype) as Call, this, { context: { ...this.context, workspace } });
  }

  get workspace(): string {
    return this.context.workspace;
  }

  get at(): Instant {
    return this.context.at;
  }

  /** The command may have had its effect already, in a run that did not get to answer. */
  get isRetaken(): boolean {
    return this.request.reservation?.isRetaken ?? false;
  }

  /** How long a read may wait for the read model, in ms; undefined when the caller leaves that to us. */
  get waitMs(): number | undefined {
    return waitOf(this.request.headers);
  }

  /** A new id; the same one again when the same Idempotency-Key comes again. */
  newId(prefix: IdPrefix, name: string | number = ''): string {
    const { reservation } = this.request;
    return reservation ? derivedId(prefix, reservation.commandId, name, reservation.at) : newId(prefix);
  }

  /** Answers with the thing's revision as its ETag; one that has no event yet has none. */
  revision(revision: number): void {
    if (revision !== NO_STREAM) this.reply.header('etag', `"${revision}"`);
  }

  /** The same for a write that changes nothing of the thing: throws REVISION_STALE when If-Match asks for another revision. */
  unchanged(revision: number): void {
    if (this.expected?.includes(revision) === false) throw staleRevision(revision);
    this.revision(revision);
  }
}

const CLOCK = Symbol('clock');

/** Hands the process's clock to the calls of a server. */
export const useClock = (server: object, clock: Clock): void => void Object.assign(server, { [CLOCK]: clock });

const clockOf = ({ server }: FastifyRequest): Clock => (server as unknown as { [CLOCK]?: Clock })[CLOCK] ?? systemClock;

/** The `Call` of this request. */
export const TheCall = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const http = context.switchToHttp();
  return new Call(http.getRequest(), http.getResponse());
});
