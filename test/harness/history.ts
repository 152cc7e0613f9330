import { eventually, Receiver } from '#testing';
import type { Standalone } from './standalone';

const AT_ONCE_MS = 2_000;
const HOOK = '/hook';
/** How long the histories of all earlier runs may take. */
export const HISTORY_MS = 300_000;

/**
 * Resolves when what happens goes out at once. A node that is not the test's own keeps what earlier runs left on it, hundreds of
 * endpoints whose receivers are gone among it, and a program on a new database tells all of that again first.
 */
export async function historyIsTold(standalone: Standalone): Promise<void> {
  const receiver = await Receiver.open();
  try {
    const { apiKey } = await standalone
      .client()
      .must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Is the history told?' });
    const client = standalone.client(apiKey);
    const { id } = await client.endpoint(receiver.url(HOOK), { eventTypes: ['account.connected'] });
    const end = performance.now() + HISTORY_MS;
    for (let told = 1, took = Infinity; took > AT_ONCE_MS; told++) {
      const began = performance.now();
      await client.account(`history_${told}`);
      await eventually(() => expect(receiver.on(HOOK).length).toBeGreaterThanOrEqual(told), { within: end - began });
      took = performance.now() - began;
    }
    await client.must(204, 'DELETE', `/webhooks/endpoints/${id}`);
  } finally {
    await receiver.close();
  }
}
