export * from './message';
export * from './instant';
export * from './domain-error';
export * from './decider';
export * from './aggregate';
export * from './ids';
export * from './recent';
export * from './personal';
