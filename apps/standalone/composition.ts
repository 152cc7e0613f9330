import type { AppDefinition, Engines, Settings } from '#platform';
import { ApiModule } from '../api/api.module';
import { configureApi } from '../api/configure-api';
import { DashboardModule } from '../dashboard/dashboard.module';
import { deliveryMicroservice, DeliveryModule } from '../delivery/delivery.module';
import { ProjectorModule } from '../projector/projector.module';
import { PublisherModule } from '../publisher/publisher.module';

/** Every app in one process, on the same modules that run alone. `begin` is done before anything runs. */
export const composition = (settings: Settings, begin: (engines: Engines) => Promise<void>): AppDefinition => ({
  name: 'standalone',
  port: 3000,
  modules: (engines) => [
    ApiModule.forRoot(engines),
    { module: DashboardModule },
    ProjectorModule.forRoot(engines),
    DeliveryModule.forRoot(engines),
    ...(settings.publisher === 'simulated' ? [PublisherModule.forRoot(engines)] : []),
  ],
  configure: (app, engines) => {
    configureApi(app, engines);
    return begin(engines);
  },
  microservices: (engines) => [deliveryMicroservice(engines)],
});
