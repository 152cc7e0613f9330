export * from './account/account.events';
