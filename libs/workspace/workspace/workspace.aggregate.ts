import { aggregate } from '#kernel';
import { workspaceDecider } from './workspace.decider';
import { workspaceEvents } from './workspace.events';

export const workspaceAggregate = aggregate({
  category: 'workspace',
  decider: workspaceDecider,
  events: workspaceEvents,
});
