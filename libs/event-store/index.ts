export * from './port/event-store';
export * from './port/command-handler';
export { shapeOf, type Snapshot, type Snapshots } from './port/snapshots';
export { sealEvents, type Sealer, type Sealing } from './port/sealing';
export type { Loaded } from './port/stream-states';
export * from './port/upcast';
