export * from './address-policy';
export * from './vet-target';
export * from './exchange';
export * from './resolver';
export * from './sender';
