export * from './port/event-store';
export * from './port/command-handler';
export { eventAt, eventsAfter, pagesAfter } from './port/events-after';
export type { Loaded } from './port/stream-states';
export * from './port/upcast';
