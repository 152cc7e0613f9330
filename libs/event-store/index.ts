export * from './port/event-store';
export * from './port/command-handler';
export * from './port/upcast';
