export * from './post/post.events';
export * from './campaign/campaign.events';
