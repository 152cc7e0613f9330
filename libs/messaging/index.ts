export * from './port/bus';
