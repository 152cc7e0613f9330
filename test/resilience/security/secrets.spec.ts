import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../harness/client';
import { Standalone } from '../../harness/standalone';

describe('what is one workspace’s own', () => {
  let standalone: Standalone;
  let client: Client;
  beforeAll(async () => {
    standalone = await Standalone.start({ RETRY_SCALE: '1', LOG_LEVEL: 'trace' });
    client = standalone.client();
  });
  afterAll(() => standalone.remove());

  it('shows nothing of one workspace to another', async () => {
    const { id: endpoint } = await client.endpoint('http://127.0.0.1:9/');
    const { id: account } = await client.account('mine');
    const { id: post } = await client.schedule(account, { scheduledAt: '2031-01-01T00:00:00Z' });
    const { apiKey } = await client.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Others' });
    const stranger = standalone.client(apiKey);
    for (const path of [
      `/webhooks/endpoints/${endpoint}`,
      `/accounts/${account}`,
      `/posts/${post}`,
      `/posts/${post}/results`,
    ])
      expect([path, (await stranger.get(path)).status]).toEqual([path, 404]);
    for (const path of [
      `/webhooks/endpoints/${endpoint}/test`,
      `/webhooks/endpoints/${endpoint}/rotate-secret`,
      `/posts/${post}/cancel`,
    ])
      expect([path, (await stranger.post(path)).status]).toEqual([path, 404]);
    for (const path of [
      '/accounts',
      '/posts',
      '/webhooks/endpoints',
      '/webhooks/deliveries',
      '/audit-log?entityType=post',
    ])
      expect([path, (await stranger.get<{ data: unknown[] }>(path)).body.data]).toEqual([path, []]);
    expect((await client.get(`/posts/${post}`)).body).toMatchObject({ status: 'scheduled' });
  });

  it('writes no secret in clear: not on disk, not in its log, not in an answer after the first', async () => {
    const endpoint = await client.endpoint('http://127.0.0.1:9/');
    const { key } = await client.must<{ key: string }>(
      201,
      'POST',
      '/api-keys',
      { name: 'audit', scopes: ['read'] },
      { headers: { 'idempotency-key': 'once' } },
    );
    const { signingSecret } = await client.must<{ signingSecret: string }>(
      200,
      'POST',
      `/webhooks/endpoints/${endpoint.id}/rotate-secret`,
    );
    const again = await client.get(`/webhooks/endpoints/${endpoint.id}`);
    expect(again.text).not.toContain('whsec_');
    // What a stopped system left behind is all that it ever wrote.
    await standalone.program.stop();
    const disk = contents(standalone.dataDir);
    for (const secret of [endpoint.signingSecret, signingSecret, key]) {
      // Secrets may be kept with or without what tells their kind.
      const bare = secret.slice(secret.indexOf('_') + 1);
      expect(disk.filter(({ bytes }) => bytes.includes(bare)).map(({ path }) => path)).toEqual([]);
      expect(standalone.program.lines.filter((line) => line.includes(bare))).toEqual([]);
    }
    expect(disk.some(({ bytes }) => bytes.includes(endpoint.id))).toBe(true);
    expect(standalone.program.lines.some((line) => line.includes('"level":20'))).toBe(true);
    await standalone.start();
  });
});

function contents(folder: string): { path: string; bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => ({ path: join(parentPath, name), bytes: readFileSync(join(parentPath, name)) }));
}
