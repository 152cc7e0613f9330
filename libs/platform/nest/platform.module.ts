import { Controller, Get, HttpStatus, Inject, Module, Res, type DynamicModule } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { shared } from '#kernel';
import type { Engines } from '../engines';
import { edgeProblem, PROBLEM_TYPE, type Refusal } from './edge-problem';

const ELSEWHERE: Refusal = [HttpStatus.NOT_FOUND, 'ROUTE_NOT_FOUND', 'METRICS_PORT has them at a port of their own.'];

export const ENGINES = Symbol('engines');

/** The answers for load balancers and scrapers: at the root, without a key. */
@Controller()
class OperationsController {
  /** Some ask the database: whoever scrapes needs no key, and many at once are told the same. */
  private readonly told = shared(() => this.engines.metrics.metrics());

  constructor(@Inject(ENGINES) private readonly engines: Engines) {}

  /** The process runs; nothing else is asked. */
  @Get('health/live')
  live(): { status: string; app: string } {
    return { status: 'live', app: this.engines.name };
  }

  /** 200 when every part can work, else 503 with what is missing. */
  @Get('health/ready')
  async ready(@Res() reply: FastifyReply): Promise<void> {
    const answer = await this.engines.health.ready();
    await reply.status(answer.status === 'ready' ? HttpStatus.OK : HttpStatus.SERVICE_UNAVAILABLE).send(answer);
  }

  /** Prometheus' text format. */
  @Get('metrics')
  async metrics(@Res() reply: FastifyReply): Promise<void> {
    if (this.engines.settings.metricsPort !== undefined)
      return void (await reply.status(ELSEWHERE[0]).type(PROBLEM_TYPE).send(edgeProblem(ELSEWHERE)));
    await reply.header('content-type', this.engines.metrics.contentType).send(await this.told());
  }
}

/** Gives `ENGINES` to every module of a process, and its health and metrics to the outside. */
@Module({})
export class PlatformModule {
  static forRoot(engines: Engines): DynamicModule {
    return {
      module: PlatformModule,
      global: true,
      controllers: [OperationsController],
      providers: [{ provide: ENGINES, useValue: engines }],
      exports: [ENGINES],
    };
  }
}
