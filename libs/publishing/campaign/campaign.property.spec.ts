import * as fc from 'fast-check';
import { apply, decide, DomainError, instant, plus } from '#kernel';
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
  request: 'first',
  reservedUntil: stamp.at,
});
const giveUp = ({ postId }: PostStory): CampaignCommand => ({
  ...stamp,
  type: 'LeaveCampaign',
  campaignId,
  postId,
  request: 'first',
});

/** The same commands in any order, some of them again. */
const shuffled = (commands: CampaignCommand[]) =>
  fc.shuffledSubarray([...commands, ...commands], { minLength: commands.length }).chain((some) => {
    const missing = commands.filter((it) => !some.includes(it));
    return fc.shuffledSubarray([...some, ...missing], { minLength: some.length + missing.length });
  });

/** A campaign that is told commands one by one; whether each was taken. */
function telling(): { readonly events: CampaignEvent[]; tell(command: CampaignCommand): boolean } {
  const events: CampaignEvent[] = [created];
  let campaign: Campaign = apply(campaignDecider, campaignDecider.initial, created);
  const tell = (command: CampaignCommand): boolean => {
    try {
      for (const event of decide(campaignDecider, command, campaign)) {
        events.push(event);
        campaign = apply(campaignDecider, campaign, event);
      }
      return true;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      return false;
    }
  };
  return { events, tell };
}

function run(commands: readonly CampaignCommand[]): CampaignEvent[] {
  const { events, tell } = telling();
  commands.forEach(tell);
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

/** A request that schedules a post, in this campaign or elsewhere; the first of an id that is not refused anyway makes the post. */
interface Request {
  readonly postId: string;
  readonly isElsewhere: boolean;
  readonly isRefused: boolean;
  /** So often it was cut off between the joining and the post, and tried again as the same one. */
  readonly cutOff: number;
  /** What the clock of its process is off by. */
  readonly skewMs: number;
}

const requests = fc.array(
  fc.record({
    postId: fc.constantFrom('pst_1', 'pst_2', 'pst_3'),
    isElsewhere: fc.boolean(),
    isRefused: fc.boolean(),
    cutOff: fc.nat(2),
    skewMs: fc.integer({ min: -3, max: 3 }),
  }),
  { maxLength: 8 },
);

/** What each request and the policy do, step by step, and the close, in an order of which each step of one keeps its own. */
const interleaved = requests.chain((all) => {
  const steps = all.flatMap(({ cutOff }, n) => Array.from({ length: 3 + cutOff }, () => n));
  return fc.tuple(
    fc.constant(all),
    fc.shuffledSubarray([...steps, 'policy', 'policy', 'close'] as const, { minLength: steps.length + 3 }),
  );
});

it('once every request is answered, only posts that exist are in the campaign, whatever came between what', () =>
  fc.assert(
    fc.property(interleaved, ([all, order]) => {
      const { events, tell } = telling();
      /** By post, whether it is in this campaign. */
      const scheduled = new Map<string, boolean>();
      const confirm = () => {
        for (const [postId, isHere] of scheduled) if (isHere) tell({ ...stamp, type: 'AddPost', campaignId, postId });
      };
      const lives = all.map(function* ({ postId, isElsewhere, isRefused, cutOff, skewMs }: Request, n) {
        const of = { ...stamp, campaignId, postId, request: `${n}` };
        for (let tries = 0; tries <= cutOff; tries++) {
          const reservedUntil = plus(stamp.at, 600_000 + tries + skewMs);
          if (!isElsewhere && !tell({ ...of, type: 'JoinCampaign', reservedUntil })) return;
          yield;
        }
        if (!isRefused && !scheduled.has(postId)) {
          scheduled.set(postId, !isElsewhere);
          return;
        }
        yield;
        if (!isElsewhere) tell({ ...of, type: 'LeaveCampaign' });
      });
      for (const step of order) {
        if (step === 'policy') confirm();
        else if (step === 'close') tell(close);
        else lives[step]!.next();
      }
      confirm();
      const here = [...scheduled].filter(([, isHere]) => isHere).map(([postId]) => postId);
      if (here.length === 0)
        expect(events.at(-1)).toMatchObject({ type: 'CampaignCompleted', data: { totalPosts: 0 } });
      else expect(events.map(({ type }) => type)).not.toContain('CampaignCompleted');
      for (const postId of here)
        tell({
          ...stamp,
          type: 'RecordPostSettled',
          campaignId,
          postId,
          outcome: 'failed',
          round: 1,
          sourceEventId: postId,
        });
      expect(events.at(-1)).toMatchObject({ type: 'CampaignCompleted', data: { totalPosts: here.length } });
      expect(events.filter(({ type }) => type === 'CampaignCompleted')).toHaveLength(1);
    }),
    { numRuns: 500 },
  ));

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
