import { randomUUID } from 'node:crypto';
import { eventually, type Receiver } from '#testing';
import type { Client } from './client';

const AT_ONCE_MS = 2_000;
/** How long the histories of all earlier runs may take. */
export const HISTORY_MS = 300_000;

/**
 * Resolves when what happens goes out at once. A node that is not the test's own keeps what earlier runs left on it, hundreds of
 * endpoints whose receivers are gone among it, and a program on a new database tells all of that again first.
 */
export async function historyIsTold(client: Client, receiver: Receiver): Promise<void> {
  const path = `/${randomUUID()}`;
  const { id } = await client.endpoint(receiver.url(path), { eventTypes: ['account.connected'] });
  const end = performance.now() + HISTORY_MS;
  for (let told = 1, took = Infinity; took > AT_ONCE_MS; told++) {
    const began = performance.now();
    await client.account(`history_${told}`);
    await eventually(() => expect(receiver.on(path)).toHaveLength(told), { within: end - began });
    took = performance.now() - began;
  }
  await client.must(204, 'DELETE', `/webhooks/endpoints/${id}`);
}
