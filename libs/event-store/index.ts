export * from './port/event-store';
export * from './port/command-handler';
export { shapeOf, type Snapshot, type Snapshots } from './port/snapshots';
export type { Loaded } from './port/stream-states';
export * from './port/upcast';
