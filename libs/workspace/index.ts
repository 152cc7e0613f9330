export * from './workspace/workspace.events';
export * from './api-key/api-key.events';
export * from './team/team.events';
export * from './subscription/subscription.events';
