import { aggregate } from '#kernel';
import { postDecider } from './post.decider';
import { postEvents } from './post.events';

export const postAggregate = aggregate({ category: 'post', idPrefix: 'pst', decider: postDecider, events: postEvents });
