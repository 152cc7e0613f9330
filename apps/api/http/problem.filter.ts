import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { heard, refuse, type Faults } from './hooks';
import { problem } from './problem';

/** The methods that a path answers to; empty for a path that is nothing. */
export type MethodsOf = (path: string) => readonly string[];

/** Every error of every route as problem+json; what is ours to mend is logged, and tells the caller nothing. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly methodsOf: MethodsOf,
    private readonly faults: Faults,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const [request, reply] = [http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>()];
    const it = heard(error, request, this.faults);
    if (reply.sent) return;
    // A command that went through before something else failed has left one.
    reply.removeHeader('etag');
    if (it.code !== 'ROUTE_NOT_FOUND') return void refuse(reply, it);
    const methods = this.methodsOf(request.url.split('?', 1)[0]!);
    refuse(reply, methods.length > 0 ? problem('METHOD_NOT_ALLOWED', { headers: { allow: methods.join(', ') } }) : it);
  }
}
