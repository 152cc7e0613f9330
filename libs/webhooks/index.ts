export * from './endpoint/endpoint.events';
export * from './delivery/delivery.events';
