export type { Contract, Rendered } from './contract';
export { contracts } from './registry';
export { matches, unknownTypes } from './matching';
export { signHeaders } from './sign-headers';
export { catalogue, sample, type CatalogueEntry } from './catalogue';
export { openApiWebhooks } from './openapi-webhooks';
export { eventTypesReference } from './event-types-reference';
