import {
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { Engines } from '#platform';
import { Publisher } from './publisher';

/** Starts the publisher with the process and drains it before the engines close. */
class PublisherRunner implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly publisher: Publisher;

  constructor(private readonly engines: Engines) {
    this.publisher = new Publisher({ ...engines, retryScale: engines.settings.retryScale });
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.engines.settings.publisher !== 'simulated') return;
    await this.publisher.start();
    this.engines.health.part('publisher', async () => ({ ok: true, lag: await this.publisher.lag() }));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.publisher.close();
  }
}

/** The simulated social networks; idle unless PUBLISHER is `simulated`. */
@Module({})
export class PublisherModule {
  static forRoot(engines: Engines): DynamicModule {
    return {
      module: PublisherModule,
      providers: [{ provide: PublisherRunner, useFactory: () => new PublisherRunner(engines) }],
    };
  }
}
