import {
  Inject,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { CustomStrategy } from '@nestjs/microservices';
import { Counter } from 'prom-client';
import { watchLag, type Engines } from '#platform';
import { BusServer } from './bus-server';
import { IntakeController } from './intake.controller';
import { DeliveryWorker, WEBHOOK_TOPICS } from './worker/delivery-worker';

/** One bus server a process: the module closes it before the worker drains. */
const servers = new WeakMap<Engines, BusServer>();

/** The transport that feeds the module's handler: for `connectMicroservice`. */
export function deliveryMicroservice(engines: Engines): CustomStrategy {
  const { bus, log, health, metrics } = engines;
  const parked = new Counter({
    name: 'postledger_delivery_parked_messages_total',
    help: 'Messages of the bus that can never be handled, put aside as dead letters',
    labelNames: ['topic'],
    registers: [metrics],
  });
  const strategy = new BusServer({
    bus,
    group: 'delivery',
    topics: WEBHOOK_TOPICS,
    onFault: (error) => {
      health.fault('intake', error);
      log.warn({ err: error.message }, 'the bus met a fault');
    },
    onParked: ({ id, type, topic }, reason) => {
      parked.inc({ topic });
      log.error({ id, type, topic, reason }, 'a message cannot be handled and is put aside');
    },
  });
  servers.set(engines, strategy);
  const help = 'Messages on the bus that delivery has yet to take';
  watchLag(metrics, 'postledger_delivery_bus_lag', help, () => strategy.lag());
  health.part('intake', async () => ({ ok: true, group: 'delivery', lag: await strategy.lag() }));
  return { strategy };
}

/** The webhook microservice: takes messages from the bus and delivers them until the last retry. */
@Module({})
export class DeliveryModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    @Inject(DeliveryWorker) private readonly worker: DeliveryWorker,
    @Inject('delivery.engines') private readonly engines: Engines,
  ) {}

  static forRoot(engines: Engines): DynamicModule {
    return {
      module: DeliveryModule,
      controllers: [IntakeController],
      providers: [
        { provide: 'delivery.engines', useValue: engines },
        { provide: DeliveryWorker, useFactory: () => new DeliveryWorker(engines) },
      ],
    };
  }

  onApplicationBootstrap(): Promise<void> {
    return this.worker.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await servers.get(this.engines)?.close();
    await this.worker.stop();
  }
}
