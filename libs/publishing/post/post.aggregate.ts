import { aggregate } from '#kernel';
import { postDecider } from './post.decider';
import { postEvents } from './post.events';

export const postAggregate = aggregate({ category: 'post', decider: postDecider, events: postEvents });
