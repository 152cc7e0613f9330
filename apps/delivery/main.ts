import { runApp } from '#platform';
import { deliveryMicroservice, DeliveryModule } from './delivery.module';

void runApp({
  name: 'delivery',
  port: 3002,
  modules: (engines) => [DeliveryModule.forRoot(engines)],
  microservices: (engines) => [deliveryMicroservice(engines)],
});
