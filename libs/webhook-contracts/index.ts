export type { Contract, Rendered, RenderOptions } from './contract';
export { contractNamed, contracts } from './registry';
export { expandTypes, matches, unknownTypes } from './matching';
export { signHeaders, type Signable } from './sign-headers';
export { catalogue, sample, type CatalogueEntry } from './catalogue';
export { openApiWebhooks } from './openapi-webhooks';
export { eventTypesReference } from './event-types-reference';
