import { eventually, Receiver } from '#testing';
import type { Client } from '../harness/client';
import { Standalone } from '../harness/standalone';
import type { Message } from './desk';

const HOUR = 3_600_000;
/** Until an expiry that is waited for: time enough for all that must have happened before it. */
const NEAR = 4_000;

let standalone: Standalone;
let receiver: Receiver;
let api: Client;
beforeAll(async () => {
  receiver = await Receiver.open();
  standalone = await Standalone.start({ PUBLISHER: 'none' });
  api = standalone.client();
  await api.endpoint(receiver.url('/hook'), { eventTypes: ['account.*'], ordered: true });
});
afterAll(async () => {
  await standalone.remove();
  await receiver.close();
});

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
const connect = async (credentialExpiresAt?: string | null): Promise<string> =>
  (
    await api.must<{ id: string }>(201, 'POST', '/accounts', {
      platform: 'instagram',
      username: 'nordlicht',
      profileId: 'prof_1',
      credentialExpiresAt,
    })
  ).id;
const read = (id: string) => api.must(200, 'GET', `/accounts/${id}`);
const renew = (id: string, expiresAt: string) => api.post(`/accounts/${id}/credential`, { expiresAt });
const said = (id: string): [string, unknown, string][] =>
  receiver
    .bodies<Message & { createdAt: string }>('/hook')
    .filter(({ data }) => data['accountId'] === id)
    .map(({ type, data, createdAt }) => [type, data['expiresAt'] ?? data['reason'] ?? null, createdAt]);
const types = (id: string): string[] => said(id).map(([type]) => type.slice('account.'.length));
/** What happens to another account, from now on, comes after what was owed to the first. */
const nothingElse = async (id: string, expected: readonly string[]): Promise<void> => {
  const other = await connect(inMs(HOUR));
  await eventually(() => expect(types(other)).toContain('credential_expiring'));
  expect(types(id)).toEqual(expected);
};

it('connects and disconnects once each, with who and why', async () => {
  const id = await connect();
  expect(await read(id)).toMatchObject({ status: 'connected', credentialExpiresAt: null, disconnectedReason: null });
  const gone = await api.post(`/accounts/${id}/disconnect`, { reason: 'token_revoked' });
  expect([gone.status, gone.body['status'], gone.headers.get('etag')]).toEqual([200, 'disconnected', '"1"']);
  expect((await api.post(`/accounts/${id}/disconnect`, { reason: 'x' })).body['code']).toBe('ACCOUNT_NOT_CONNECTED');
  expect((await renew(id, inMs(HOUR))).status).toBe(409);
  expect((await api.post(`/accounts/${id}/disconnect`, {})).status).toBe(400);
  await eventually(() => expect(types(id)).toEqual(['connected', 'disconnected']));
  expect(said(id)[1]![1]).toBe('token_revoked');
});

it('announces an expiry 72 hours ahead, no earlier and once', async () => {
  const expiresAt = inMs(72 * HOUR + 600);
  const id = await connect(expiresAt);
  await eventually(() => expect(types(id)).toEqual(['connected', 'credential_expiring']));
  const [, told, at] = said(id)[1]!;
  expect(told).toBe(expiresAt);
  expect(Date.parse(at)).toBeGreaterThanOrEqual(Date.parse(expiresAt) - 72 * HOUR);
  await nothingElse(id, ['connected', 'credential_expiring']);
  expect(await read(id)).toMatchObject({ status: 'connected' });
});

it('announces a nearer one at once, and disconnects in its moment', async () => {
  const expiresAt = inMs(NEAR);
  const id = await connect(expiresAt);
  await eventually(() => expect(types(id)).toEqual(['connected', 'credential_expiring', 'disconnected']));
  expect(Date.parse(said(id)[1]![2])).toBeLessThan(Date.parse(expiresAt));
  const [, reason, at] = said(id)[2]!;
  expect(reason).toBe('token_expired');
  expect(Date.parse(at)).toBeGreaterThanOrEqual(Date.parse(expiresAt));
  expect(await read(id)).toMatchObject({ status: 'disconnected', disconnectedReason: 'token_expired' });
  expect(
    (
      await api.post('/posts', {
        profileId: 'p',
        content: { text: 'x' },
        destinations: [{ accountId: id, platform: 'instagram' }],
      })
    ).status,
  ).toBe(409);
});

it.each(['2020-01-01T00:00:00Z', '0001-01-02T00:00:00Z'])(
  'is disconnected, announced or not, when its credential had expired before it came: %s',
  async (expiresAt) => {
    const id = await connect(expiresAt);
    await eventually(() => expect(types(id).at(-1)).toBe('disconnected'));
    expect(await read(id)).toMatchObject({ status: 'disconnected', disconnectedReason: 'token_expired' });
  },
);

it('forgets an expiry that a renewal has put off, and announces the new one', async () => {
  const passesAt = inMs(NEAR);
  const id = await connect(passesAt);
  await eventually(() => expect(types(id)).toEqual(['connected', 'credential_expiring']));
  const expiresAt = inMs(2 * HOUR);
  const renewed = await renew(id, expiresAt);
  expect([renewed.status, renewed.body['credentialExpiresAt']]).toEqual([200, expiresAt]);
  await eventually(() => expect(said(id).at(-1)!.slice(0, 2)).toEqual(['account.credential_expiring', expiresAt]));
  const passed = await connect(new Date(Date.parse(passesAt) + 1).toISOString());
  await eventually(() => expect(types(passed)).toContain('disconnected'));
  await nothingElse(id, ['connected', 'credential_expiring', 'credential_expiring']);
  expect((await read(id))['status']).toBe('connected');
  await renew(id, inMs(1_000 * HOUR));
  await nothingElse(id, ['connected', 'credential_expiring', 'credential_expiring']);
});

it('is listed newest first, by status, platform and profile', async () => {
  const { apiKey } = await api.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name: 'Lists' });
  const mine = standalone.client(apiKey);
  for (const [id, platform, profileId] of [
    ['1', 'x1', 'a'],
    ['2', 'x2', 'a'],
    ['3', 'x1', 'b'],
  ])
    await mine.must(201, 'POST', '/accounts', { id: `acct_${id}`, platform, username: 'n', profileId });
  await mine.must(200, 'POST', '/accounts/acct_1/disconnect', { reason: 'x' });
  const ids = async (query: string) =>
    (await mine.must<{ data: { id: string }[] }>(200, 'GET', `/accounts?${query}`)).data
      .map(({ id }) => id.slice(5))
      .join('');
  expect(await ids('')).toBe('321');
  expect(await ids('status=disconnected')).toBe('1');
  expect(await ids('platform=x1')).toBe('31');
  expect(await ids('profileId=a&status=connected')).toBe('2');
});
