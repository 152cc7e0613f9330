import { aggregate } from '#kernel';
import { teamDecider } from './team.decider';
import { teamEvents } from './team.events';

export const teamAggregate = aggregate({ category: 'team', decider: teamDecider, events: teamEvents });
