import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { Engines } from '#platform';
import { Projector } from './projector';
import { BusRelay } from './relay/bus-relay';

const PROJECTOR = Symbol('projector');
const RELAY = Symbol('relay');

/** The projector as a part of an app: works from start to drain. */
@Module({})
export class ProjectorModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(PROJECTOR) private readonly projector: Projector,
    @Inject(RELAY) private readonly relay: BusRelay,
  ) {}

  static forRoot(engines: Engines): DynamicModule {
    return {
      module: ProjectorModule,
      providers: [
        { provide: PROJECTOR, useFactory: () => new Projector(engines) },
        { provide: RELAY, useFactory: () => new BusRelay(engines) },
      ],
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.relay.start();
    this.projector.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.projector.stop();
    await this.relay.stop();
  }
}
