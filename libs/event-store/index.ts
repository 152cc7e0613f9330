export * from './port/event-store';
export * from './port/command-handler';
export { eventAt, eventsAfter, pagesAfter } from './port/events-after';
export { readOwn, StrangerInStreamError } from './port/read-own';
export type { Loaded } from './port/stream-states';
export * from './port/upcast';
