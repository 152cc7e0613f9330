import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { heard, refuse, type Faults } from './hooks';
import { problem, type Problem } from './problem';
import { PREFIX } from './routes';

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
    const isNowhere = it.code === 'ROUTE_NOT_FOUND';
    // What is wrong with a body is beside the point where nothing would read it.
    if (!isNowhere && !request.is404) return void refuse(reply, it);
    const path = request.url.split('?', 1)[0]!;
    const methods = this.methodsOf(path);
    if (methods.length === 0)
      return void refuse(reply, isNowhere && it.detail !== it.title ? it : this.nothingAt(path));
    const allow = methods.join(', ');
    refuse(reply, problem('METHOD_NOT_ALLOWED', { detail: `This path answers to ${allow}.`, headers: { allow } }));
  }

  /** A slash too many and a forgotten prefix are what paths go wrong by most. */
  private nothingAt(path: string): Problem {
    const meant = [path.replace(/\/$/, ''), `/${PREFIX}${path}`].find((it) => this.methodsOf(it).length > 0);
    const hint = meant ? `${meant} is one.` : '/docs lists those there are.';
    return problem('ROUTE_NOT_FOUND', { detail: `There is nothing at this path; ${hint}` });
  }
}
