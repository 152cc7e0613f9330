export * from './account/account.events';
export * from './account/account.commands';
export { accountErrors } from './account/account.errors';
export { accountDecider, ensurePublishable, type Account, type ExistingAccount } from './account/account.decider';
export { accountAggregate } from './account/account.aggregate';
