export * from './post/post.events';
export * from './post/post.commands';
export { postErrors } from './post/post.errors';
export { postDecider } from './post/post.decider';
export type { DestinationState, DestinationStatus, ExistingPost, Post, PostStatus } from './post/post.state';
export { postAggregate } from './post/post.aggregate';
export * from './campaign/campaign.events';
