import type { AppDefinition, Settings } from '#platform';
import { ApiModule } from '../api/api.module';
import { configureApi } from '../api/configure-api';
import { DashboardModule } from '../dashboard/dashboard.module';
import { deliveryMicroservice, DeliveryModule } from '../delivery/delivery.module';
import { ProjectorModule } from '../projector/projector.module';
import { PublisherModule } from '../publisher/publisher.module';

/** Every app in one process, on the same modules that run alone. */
export const composition = (settings: Settings): AppDefinition => ({
  name: 'standalone',
  port: 3000,
  modules: (engines) => [
    ApiModule.forRoot(engines),
    { module: DashboardModule },
    ProjectorModule.forRoot(engines),
    DeliveryModule.forRoot(engines),
    ...(settings.publisher === 'simulated' ? [PublisherModule.forRoot(engines)] : []),
  ],
  configure: configureApi,
  microservices: (engines) => [deliveryMicroservice(engines)],
});
