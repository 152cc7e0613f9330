import { HISTORY_MS, historyIsTold } from '../harness/history';
import { World } from './main-job.world';
import { postStories } from './posts.stories';
import { readingStories } from './reading.stories';
import { webhookStories } from './webhooks.stories';

/**
 * The main job over HTTP on the running program, with real receivers. `env` chooses the engines: it is asked once,
 * before the program starts, and may start them.
 */
export function mainJob(name: string, env: () => Promise<Record<string, string>>): void {
  describe(`the main job on ${name}`, () => {
    let world: World | undefined;
    beforeAll(async () => {
      world = await World.open(await env());
      await historyIsTold(world.standalone);
    }, 120_000 + HISTORY_MS);
    afterAll(() => world?.close());

    describe('posts', () => postStories(() => world!));
    describe('webhooks', () => webhookStories(() => world!));
    describe('reading', () => readingStories(() => world!));
  });
}
