import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { Engines } from '#platform';
import { Projector } from './projector';

const PROJECTOR = Symbol('projector');

/** The projector as a part of an app: works from start to drain. */
@Module({})
export class ProjectorModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(@Inject(PROJECTOR) private readonly projector: Projector) {}

  static forRoot(engines: Engines): DynamicModule {
    return { module: ProjectorModule, providers: [{ provide: PROJECTOR, useFactory: () => new Projector(engines) }] };
  }

  onApplicationBootstrap(): void {
    this.projector.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.projector.stop();
  }
}
