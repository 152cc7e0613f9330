import { contracts, matches, unknownTypes } from '.';

const contract = (name: string) => contracts.get(name)!;

it.each([
  [['post.published'], 'post.published', true],
  [['post.published'], 'post.publishedx', false],
  [['post.*'], 'post.published', true],
  [['post.*'], 'posts.published', false],
  [['post.*'], 'post', false],
  [['Post*'], 'PostFailed', true],
  [['*'], 'webhook.test', true],
  [['a', 'b', 'post.failed'], 'post.failed', true],
  [[], 'post.failed', false],
])('%j asks for %s: %s', (eventTypes, type, asked) => expect(matches(eventTypes, type)).toBe(asked));

it('knows what a contract lacks', () => {
  expect(unknownTypes(contract('posternity'), ['post.published', 'image.*', '*'])).toEqual(['post.published']);
  expect(unknownTypes(contract('post-ez'), ['campaign.*'])).toEqual(['campaign.*']);
  expect(unknownTypes(contract('postiz'), ['post.published', 'Post*'])).toEqual(['post.published']);
  expect(unknownTypes(contract('core'), ['post.destination_due'])).toEqual(['post.destination_due']);
});

it.each([
  ['post-ez', ['post.published', 'post.failed', 'schedule.created', 'credential.expiring', 'webhook.test']],
  ['postiz', ['PostScheduled', 'PostPublished', 'PostFailed', 'AccountConnected', 'CampaignCompleted', 'webhook.test']],
  ['posteverywhere', ['post.published', 'post.failed', 'media.processed', 'account.disconnected', 'webhook.test']],
])('%s has the types of its source, and the test', (name, types) => expect(contract(name).types).toEqual(types));

it('has webhook.test in every contract', () => {
  for (const { types } of contracts.values()) expect(types).toContain('webhook.test');
});

it('keeps posts and accounts out of posternity', () =>
  expect(
    contract('posternity').types.filter((type) => /^(post|account|team|subscription|payment)\./.test(type)),
  ).toEqual([]));
