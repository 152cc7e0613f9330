import { eventually, Receiver } from '#testing';
import type { Client } from '../../harness/client';
import { Standalone } from '../../harness/standalone';

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** What some part of the way might take for its own: separators, ends of lines and of text, quotes, text at its longest, times at the edge. */
const VALUES = [
  '\x1f',
  'a\nb\tc',
  '{"a":[\\\x7f\u0085\u2028\ufeff\uffff',
  '🥐'.repeat(50),
  '🥐'.repeat(1_000),
  '0001-01-02T00:00:00Z',
];

const LATER = '2035-06-01T12:00:00Z';
const ACCOUNT = 'acct_hostile';
let count = 0;
const fresh = (prefix: string): string => `${prefix}_hostile${++count}`;
/** The path of a thing that one call has made. */
const after = async (client: Client, path: string, body: object, then: string): Promise<string> =>
  `${path}/${(await client.must<{ id: string }>(201, 'POST', path, body)).id}${then}`;
const post = (client: Client, then: string) =>
  after(
    client,
    '/posts',
    {
      profileId: 'p',
      content: { text: 't' },
      destinations: [{ accountId: ACCOUNT, platform: 'instagram' }],
      scheduledAt: LATER,
    },
    then,
  );
const account = (client: Client, then: string) =>
  after(client, '/accounts', { platform: 'instagram', username: 'u', profileId: 'p' }, then);
const submitted = async (client: Client, then: string): Promise<string> => {
  const path = await after(client, '/designs', { clientId: 'c' }, '');
  await client.must(200, 'POST', `${path}/submit`, {});
  return path + then;
};

type Command = readonly [path: string | ((client: Client) => Promise<string>), body: { readonly [name: string]: Json }];

const COMMANDS: readonly Command[] = [
  ['/workspaces', { name: 'w' }],
  ['/api-keys', { name: 'k', scopes: ['read'] }],
  [
    '/posts',
    {
      profileId: 'p',
      content: { text: 't', mediaIds: ['med_1'] },
      destinations: [{ accountId: ACCOUNT, platform: 'instagram' }],
      scheduledAt: LATER,
    },
  ],
  [(client) => post(client, '/reschedule'), { scheduledAt: LATER }],
  [(client) => post(client, '/cancel'), { reason: 'r' }],
  ['/accounts', { platform: 'instagram', username: 'u', profileId: 'p', credentialExpiresAt: LATER }],
  [(client) => account(client, '/disconnect'), { reason: 'r' }],
  [(client) => account(client, '/credential'), { expiresAt: LATER }],
  ['/campaigns', { name: 'n', profileId: 'p' }],
  ['/subscription/plan', { plan: 'pro', effectiveAt: LATER }],
  ['/subscription/cancel', { effectiveAt: LATER }],
  ['/subscription/payments', { invoiceId: 'i', amountCents: 1, currency: 'EUR', outcome: 'failed', reason: 'r' }],
  ['/media', { kind: 'image', url: 'https://example.com/a', bytes: 1 }],
  ['/operations', { kind: 'location_content', region: 'r', total: 3 }],
  [
    (client) => after(client, '/operations', { kind: 'image' }, '/fail'),
    { error: { code: 'c', message: 'm', detail: 'd' } },
  ],
  [(client) => after(client, '/operations', { kind: 'image' }, '/complete'), { url: 'https://example.com/a' }],
  ['/designs', { clientId: 'c', name: 'n' }],
  [(client) => submitted(client, '/approve'), { note: 'n' }],
  [
    (client) => after(client, '/designs', { clientId: 'c' }, '/compliance'),
    { guidelines: ['g'], violations: ['v'], manualReview: true },
  ],
  [async () => `/assets/${fresh('ast')}/organize`, { clientId: 'c', folder: 'f' }],
  [async () => `/galleries/${fresh('gal')}/update`, { region: 'r', added: ['a'], removed: ['b'] }],
  [async () => `/content/${fresh('cnt')}/adaptation`, { region: 'r', locale: 'da', reasons: ['x'] }],
];

const regionOf = (name: string): Command => [
  `/regions/${encodeURIComponent(name)}/performance`,
  { period: 'p', impressions: 1, engagements: 1, contentCount: 1 },
];

/** The value with each of its texts replaced in turn. */
function* replaced(value: Json, by: string): Generator<Json> {
  if (typeof value === 'string') yield by;
  else if (value !== null && typeof value === 'object')
    for (const [name, part] of Object.entries(value))
      for (const other of replaced(part as Json, by))
        yield Array.isArray(value)
          ? value.map((it: Json, at) => (at === Number(name) ? other : it))
          : { ...value, [name]: other };
}

it('no value in a command of one workspace stops what another one gets', async () => {
  const [standalone, receiver] = [await Standalone.start(), await Receiver.open()];
  try {
    const operator = standalone.client();
    const workspace = async (name: string) =>
      standalone.client((await operator.must<{ apiKey: string }>(201, 'POST', '/workspaces', { name })).apiKey);
    const other = await workspace('other');
    await other.endpoint(receiver.url('/other'), { eventTypes: ['account.connected'] });
    await operator.endpoint(receiver.url('/own'), { contract: 'cloudevents', ordered: true });
    await operator.must(201, 'POST', '/accounts', { ...COMMANDS[5]![1], id: ACCOUNT, credentialExpiresAt: LATER });
    const answers: [number, string, string][] = [];
    const ask = async ([path, body]: Command, value: string): Promise<void> => {
      for (const changed of replaced(body, value)) {
        const at = typeof path === 'string' ? path : await path(operator);
        const { status } = await operator.post(at, changed as object);
        answers.push([status, at, JSON.stringify(changed)]);
      }
    };
    for (const command of COMMANDS) await Promise.all(VALUES.map((value) => ask(command, value)));
    await Promise.all(VALUES.map((value) => ask(regionOf(value), 'p')));
    expect(answers.filter(([status]) => status >= 500)).toEqual([]);
    expect(answers.filter(([status]) => status < 300).length).toBeGreaterThan(100);
    await other.account('still here');
    await eventually(() => expect(receiver.on('/other')).toHaveLength(1));
    await eventually(async () => {
      const { status, body } = await operator.get<{ parts: { projector: { lag: number } } }>('/health/ready');
      expect([status, body.parts.projector.lag]).toEqual([200, 0]);
    });
    expect(await operator.must(200, 'GET', '/audit-log/verify')).toMatchObject({ ok: true });
  } finally {
    await standalone.remove();
    await receiver.close();
  }
});
