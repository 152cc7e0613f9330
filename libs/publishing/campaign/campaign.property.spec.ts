import * as fc from 'fast-check';
import { apply, decide, DomainError, instant } from '#kernel';
import type { CampaignCommand } from './campaign.commands';
import { campaignDecider, type Campaign } from './campaign.decider';
import type { CampaignEvent, PostOutcome } from './campaign.events';

// What happened to each post is fixed; the order in which the campaign hears of it, and how often, is not.

const stamp = { at: instant('2026-04-22T12:00:00.000Z'), actor: 'system' };
const campaignId = 'cmp_1';
const created: CampaignEvent = { type: 'CampaignCreated', data: { campaignId, name: 'Spring', profileId: 'prof_1' } };
const close: CampaignCommand = { ...stamp, type: 'CloseCampaign' };

interface PostStory {
  readonly postId: string;
  /** By round; empty for a post that was cancelled. */
  readonly outcomes: readonly PostOutcome[];
}

const stories = fc
  .array(fc.array(fc.constantFrom<PostOutcome>('published', 'partial', 'failed'), { maxLength: 3 }), { maxLength: 8 })
  .map((all) => all.map((outcomes, n): PostStory => ({ postId: `pst_${n}`, outcomes })));

/** What the policy sends about one post. */
const heardOf = ({ postId, outcomes }: PostStory): CampaignCommand[] => [
  { ...stamp, type: 'AddPost', campaignId, postId },
  ...outcomes.map((outcome, index): CampaignCommand => {
    const round = index + 1;
    return {
      ...stamp,
      type: 'RecordPostSettled',
      campaignId,
      postId,
      outcome,
      round,
      sourceEventId: `${postId}-${round}`,
    };
  }),
  ...outcomes
    .slice(1)
    .map((_, index): CampaignCommand => ({ ...stamp, type: 'ReopenPost', campaignId, postId, round: index + 2 })),
  ...(outcomes.length === 0 ? [{ ...stamp, type: 'RemovePost', campaignId, postId } as const] : []),
];

const reserve = ({ postId }: PostStory): CampaignCommand => ({
  ...stamp,
  type: 'JoinCampaign',
  campaignId,
  postId,
  reservedUntil: stamp.at,
});
const giveUp = ({ postId }: PostStory): CampaignCommand => ({ ...stamp, type: 'LeaveCampaign', campaignId, postId });

/** The same commands in any order, some of them again. */
const shuffled = (commands: CampaignCommand[]) =>
  fc.shuffledSubarray([...commands, ...commands], { minLength: commands.length }).chain((some) => {
    const missing = commands.filter((it) => !some.includes(it));
    return fc.shuffledSubarray([...some, ...missing], { minLength: some.length + missing.length });
  });

function run(commands: readonly CampaignCommand[]): CampaignEvent[] {
  const events: CampaignEvent[] = [created];
  let campaign: Campaign = apply(campaignDecider, campaignDecider.initial, created);
  for (const command of commands) {
    try {
      for (const event of decide(campaignDecider, command, campaign)) {
        events.push(event);
        campaign = apply(campaignDecider, campaign, event);
      }
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
  }
  return events;
}

const kept = (posts: readonly PostStory[]): PostStory[] => posts.filter(({ outcomes }) => outcomes.length > 0);
const succeeded = (posts: readonly PostStory[]): number =>
  posts.filter(({ outcomes }) => outcomes.at(-1) === 'published').length;

describe('in whatever order, and however often, a campaign hears of its posts', () => {
  it('completes once, as its last word, with every place that was reserved before the close', () =>
    fc.assert(
      fc.property(
        stories.chain((posts) => fc.tuple(fc.constant(posts), shuffled([...posts.flatMap(heardOf), close]))),
        ([posts, commands]) => {
          const events = run([...posts.map(reserve), ...commands]);
          expect(events.filter(({ type }) => type === 'CampaignCompleted')).toHaveLength(1);
          expect(events.at(-1)).toMatchObject({ type: 'CampaignCompleted', data: { totalPosts: kept(posts).length } });
        },
      ),
      { numRuns: 500 },
    ));

  it('completes with the newest outcome of each post when it hears all before the close', () =>
    fc.assert(
      fc.property(
        stories.chain((posts) => fc.tuple(fc.constant(posts), shuffled(posts.flatMap(heardOf)))),
        ([posts, commands]) => {
          const [totalPosts, successCount] = [kept(posts).length, succeeded(kept(posts))];
          const failedCount = totalPosts - successCount;
          expect(run([...commands, close]).at(-1)).toEqual({
            type: 'CampaignCompleted',
            data: { campaignId, totalPosts, successCount, failedCount },
          });
        },
      ),
      { numRuns: 500 },
    ));

  it('progresses with counts that never exceed one another', () =>
    fc.assert(
      fc.property(
        stories.chain((posts) =>
          shuffled([...posts.flatMap((post) => [reserve(post), giveUp(post), ...heardOf(post)]), close]),
        ),
        (commands) => {
          for (const { type, data } of run(commands)) {
            if (type !== 'CampaignProgressed') continue;
            expect(data.succeeded).toBeLessThanOrEqual(data.settled);
            expect(data.settled).toBeLessThanOrEqual(data.total);
          }
        },
      ),
      { numRuns: 500 },
    ));

  it('completes at most once and says nothing after, also when reservations are given up', () =>
    fc.assert(
      fc.property(
        stories.chain((posts) =>
          shuffled([...posts.flatMap((post) => [reserve(post), giveUp(post), ...heardOf(post)]), close]),
        ),
        (commands) => {
          const events = run(commands);
          const first = events.findIndex(({ type }) => type === 'CampaignCompleted');
          expect(first).toBe(events.length - 1);
        },
      ),
      { numRuns: 500 },
    ));
});

it('a campaign of ten thousand posts folds in a moment', () => {
  const commands = Array.from({ length: 10_000 }, (_, n) => ({
    postId: `pst_${n}`,
    outcomes: ['published' as const],
  })).flatMap(heardOf);
  expect(run([...commands, close]).at(-1)).toMatchObject({
    type: 'CampaignCompleted',
    data: { totalPosts: 10_000, successCount: 10_000 },
  });
});
