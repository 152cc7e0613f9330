export { vetTarget } from './vet-target';
export type { Exchange } from './exchange';
export { createSender, type Sender } from './sender';
