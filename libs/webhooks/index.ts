export * from './endpoint/endpoint.events';
export * from './endpoint/endpoint.commands';
export { endpointErrors } from './endpoint/endpoint.errors';
export {
  endpointDecider,
  existingEndpoint,
  openEndpoint,
  type Endpoint,
  type ExistingEndpoint,
} from './endpoint/endpoint.decider';
export { endpointAggregate } from './endpoint/endpoint.aggregate';
export * from './delivery/delivery.events';
export { deliveryDecider } from './delivery/delivery.decider';
export { deliveryAggregate } from './delivery/delivery.aggregate';
export { FAILING_AFTER_MS, nextStep } from './delivery/next-step';
