import { CommandHandler, streamName, type CommandContext } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { instant, plus } from '#kernel';
import { campaignAggregate } from './campaign.aggregate';
import type { CampaignCommand } from './campaign.commands';

// Several processes tell one campaign of its posts at the same moment, each of them everything, while it is closed.

const at = instant('2026-04-22T12:00:00.000Z');
const campaignId = 'cmp_1';
const of = { at, actor: 'system', campaignId };
const POSTS = 30;
const PROCESSES = 4;

const heardOf = (n: number): CampaignCommand[] => {
  const postId = `pst_${n}`;
  const outcome = n % 3 === 0 ? 'failed' : 'published';
  return n % 5 === 0
    ? [
        { ...of, type: 'AddPost', postId },
        { ...of, type: 'RemovePost', postId },
      ]
    : [
        { ...of, type: 'AddPost', postId },
        { ...of, type: 'RecordPostSettled', postId, outcome, round: 1, sourceEventId: `event ${n}` },
      ];
};

it('a campaign completes once for ever, however many processes tell it of its posts at the same moment', async () => {
  const store = new MemoryEventStore();
  const processes = Array.from({ length: PROCESSES }, () => new CommandHandler(store));
  const context = (commandId: string): CommandContext => ({
    workspace: 'ws_1',
    actor: 'system',
    correlationId: 'c',
    causationId: null,
    commandId,
    at,
    repeatable: true,
  });
  const send = (handler: CommandHandler, command: CampaignCommand, commandId: string) =>
    handler.handle(campaignAggregate, campaignId, command, context(commandId));

  await send(processes[0]!, { ...of, type: 'CreateCampaign', name: 'Spring', profileId: 'prof_1' }, 'create');
  const posts = Array.from({ length: POSTS }, (_, n) => n);
  for (const n of posts)
    await send(
      processes[0]!,
      { ...of, type: 'JoinCampaign', postId: `pst_${n}`, request: `${n}`, reservedUntil: plus(at, 1) },
      `join ${n}`,
    );
  await Promise.all([
    ...processes.flatMap((handler, process) =>
      posts.flatMap((n) => heardOf(n).map((command) => send(handler, command, `${command.type} ${n} ${process % 2}`))),
    ),
    ...processes.map((handler, process) =>
      send(handler, { at, actor: 'usr_1', type: 'CloseCampaign' }, `close ${process}`),
    ),
  ]);

  const events = await store.read(streamName('campaign', 'ws_1', campaignId));
  const kept = posts.filter((n) => n % 5 !== 0);
  const successCount = kept.filter((n) => n % 3 !== 0).length;
  expect(events.filter(({ type }) => type === 'CampaignProgressed')).toHaveLength(kept.length);
  expect(events.filter(({ type }) => type === 'CampaignCompleted')).toHaveLength(1);
  expect(events.at(-1)).toMatchObject({
    type: 'CampaignCompleted',
    data: { totalPosts: kept.length, successCount, failedCount: kept.length - successCount },
  });
});
