import { aggregate } from '#kernel';
import { subjectDecider } from './subject.decider';
import { subjectEvents } from './subject.events';

/** Its ids are those of what it stands for: a person, a key, an invitation, an account. */
export const subjectAggregate = aggregate({
  category: 'subject',
  decider: subjectDecider,
  events: subjectEvents,
});
