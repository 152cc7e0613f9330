import * as fc from 'fast-check';
import type { RecordedEvent } from '#event-store';
import { apply, decide, DomainError, instant, plus, type Instant } from '#kernel';
import { campaignDecider, type Campaign, type CampaignCommand, type CampaignEvent } from '#publishing';
import { takeIn } from '../keyed/keyed-view';
import { campaignsView, presentCampaign } from './campaigns.view';

const START = instant('2026-05-01T10:00:00.000Z');
const campaignId = 'cmp_1';

/** Runs commands, those that are refused left out; tells each event and the state after it. */
function run(commands: readonly CampaignCommand[], tell: (event: RecordedEvent, campaign: Campaign) => void): void {
  let campaign: Campaign = campaignDecider.initial;
  let revision = 0;
  const told = (event: CampaignEvent) => {
    campaign = apply(campaignDecider, campaign, event);
    tell({ ...event, stream: 'campaign-ws_1:cmp_1', revision: revision++ } as unknown as RecordedEvent, campaign);
  };
  told({ type: 'CampaignCreated', data: { campaignId, name: 'Spring', profileId: 'prof_1' } });
  for (const command of commands) {
    try {
      decide(campaignDecider, command, campaign).forEach(told);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
    }
  }
}

const commands = fc.array(
  fc
    .record({
      type: fc.constantFrom(
        'JoinCampaign',
        'LeaveCampaign',
        'AddPost',
        'RemovePost',
        'ReopenPost',
        'RecordPostSettled',
      ),
      postId: fc.constantFrom('pst_1', 'pst_2', 'pst_3'),
      outcome: fc.constantFrom('published', 'partial', 'failed'),
      round: fc.integer({ min: 1, max: 4 }),
      request: fc.constantFrom('first', 'second', null),
      minutes: fc.integer({ min: 0, max: 20 }),
    })
    .map(({ minutes, ...it }) => {
      const at: Instant = plus(START, minutes * 60_000);
      return { ...it, at, actor: 'a', campaignId, reservedUntil: plus(at, 600_000), sourceEventId: 'evt_1' };
    }) as fc.Arbitrary<CampaignCommand>,
  { maxLength: 40 },
);

describe('the campaigns that are shown', () => {
  it('have the counts of the fold that decides, after every event', () =>
    fc.assert(
      fc.property(commands, fc.option(fc.nat(40)), (steps, closedAt) => {
        const close = { type: 'CloseCampaign', at: START, actor: 'a' } as const;
        const rows = new Map();
        run(closedAt === null ? steps : steps.toSpliced(closedAt, 0, close), (event, campaign) => {
          takeIn(campaignsView, rows, event);
          if (campaign.status === 'absent') throw new Error('it was created');
          const row = rows.get(campaignId);
          expect(campaignsView.present(row, campaignId)).toEqual(presentCampaign(campaign));
        });
      }),
      { numRuns: 500 },
    ));

  it('are short, and so is what each event writes, however many posts there are', () => {
    const at = START;
    const posts = Array.from({ length: 3_000 }, (_, n) => `pst_${n}`);
    const rows = new Map();
    let longest = 0;
    run(
      posts.map((postId) => ({ type: 'AddPost', at, actor: 'a', campaignId, postId })),
      (event) => {
        takeIn(campaignsView, rows, event);
        const written = campaignsView.keys(event).map((id) => JSON.stringify(rows.get(id)).length);
        longest = Math.max(
          longest,
          written.reduce((sum, size) => sum + size, 0),
        );
      },
    );
    expect(campaignsView.present(rows.get(campaignId), campaignId).total).toBe(3_000);
    expect(longest).toBeLessThan(300);
  });
});
