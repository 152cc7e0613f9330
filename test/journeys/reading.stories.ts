import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '#testing';
import { settled, soon, upTo, type World } from './main-job.world';
import { HURRY, POLLING_SCRIPT } from './polling-script';

interface Entry {
  readonly id: string;
  readonly action: string;
  readonly entityType: string;
  readonly entityId: string;
  readonly actor: string;
  readonly correlationId: string;
  readonly previousHash: string | null;
  readonly hash: string;
}

interface StreamEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** What services, auditors and pages read, and that each sees its own alone. */
export function readingStories(world: () => World): void {
  it('keeps who did what under which correlation, in a chain that verifies', async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client, { eventTypes: ['post.*'] });
    const headers = { 'x-actor': 'usr_ann', 'x-correlation-id': 'story-of-the-audit' };
    const account = await client.must<{ id: string }>(
      201,
      'POST',
      '/accounts',
      { platform: 'instagram', username: 'ann', profileId: 'prof_test' },
      { headers },
    );
    const post = await client.schedule(account.id, {}, { headers });
    await core.receives('post.scheduled', 'post.destination_published', 'post.published');
    const entries = await eventually(async () => {
      const { data } = await client.must<{ data: Entry[] }>(
        200,
        'GET',
        '/audit-log?correlationId=story-of-the-audit&limit=200',
      );
      expect(data.map(({ action }) => action)).toContain('PostPublished');
      return data.toReversed();
    });
    expect(entries[0]).toMatchObject({
      action: 'AccountConnected',
      entityType: 'account',
      entityId: account.id,
      actor: 'usr_ann',
    });
    expect(entries[1]).toMatchObject({ action: 'PostScheduled', entityId: post.id, actor: 'usr_ann' });
    expect(core.bodies().find(({ type }) => type === 'post.scheduled')!.id).toBe(entries[1]!.id);
    expect(entries.filter(({ entityId }) => entityId === post.id).map(({ id }) => id)).toEqual(
      expect.arrayContaining(core.bodies().map(({ id }) => id)),
    );
    const all = await client.must<{ data: Entry[] }>(200, 'GET', '/audit-log?limit=200');
    const oldestFirst = all.data.toReversed();
    expect(oldestFirst.map(({ previousHash }) => previousHash)).toEqual([
      null,
      ...oldestFirst.slice(0, -1).map(({ hash }) => hash),
    ]);
    expect(await client.must(200, 'GET', '/audit-log/verify')).toMatchObject({ ok: true, entries: all.data.length });
  });

  it('has one effect and one answer for a command that is repeated and raced under one Idempotency-Key', async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client, { eventTypes: ['post.scheduled'] });
    const { id: accountId } = await client.account('ann');
    const body = {
      profileId: 'prof_test',
      content: { text: 'Once' },
      destinations: [{ accountId, platform: 'instagram' }],
      scheduledAt: '2031-01-01T00:00:00Z',
    };
    const keyed = (key: string) => client.post('/posts', body, { headers: { 'idempotency-key': key } });
    const raced = await Promise.all(upTo(12).map(() => keyed('one')));
    raced.push(await keyed('one'));
    expect(raced.map(({ status }) => status)).toEqual(raced.map(() => 201));
    expect(new Set(raced.map(({ text }) => text)).size).toBe(1);
    const reused = await client.post(
      '/posts',
      { ...body, content: { text: 'Other' } },
      {
        headers: { 'idempotency-key': 'one' },
      },
    );
    expect([reused.status, reused.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    await keyed('two');
    await core.receives('post.scheduled', 'post.scheduled');
    expect((await client.must<{ data: unknown[] }>(200, 'GET', '/posts')).data).toHaveLength(2);
  });

  it('shows nothing of a workspace to another', async () => {
    const [mine, theirs] = [await world().workspace(), await world().workspace()];
    const [hook, foreign] = [await world().subscriber(mine.client), await world().subscriber(theirs.client)];
    const account = await mine.client.account('ann');
    const post = await mine.client.schedule(account.id);
    await eventually(() => expect(hook.types()).toContain('post.published'), { within: 60_000 });
    await settled(mine.client, post.id, 'published');
    const delivery = await mine.client.must<{ data: { id: string }[] }>(200, 'GET', '/webhooks/deliveries');
    for (const path of [
      `/posts/${post.id}`,
      `/posts/${post.id}/results`,
      `/accounts/${account.id}`,
      `/webhooks/endpoints/${hook.id}`,
      `/webhooks/endpoints/${hook.id}/events`,
      `/webhooks/deliveries/${delivery.data[0]!.id}`,
      `/audit-log/entities/post/${post.id}`,
    ]) {
      expect([path, (await mine.client.get(path)).status]).toEqual([path, 200]);
      expect([path, (await theirs.client.get(path)).status]).toEqual([path, 404]);
    }
    expect((await theirs.client.post(`/posts/${post.id}/retry`)).status).toBe(404);
    for (const list of ['/posts', '/accounts', '/webhooks/deliveries'])
      expect(await theirs.client.must(200, 'GET', list)).toEqual({ data: [], nextCursor: null });
    const audited = await theirs.client.must<{ data: Entry[] }>(200, 'GET', '/audit-log?limit=200');
    expect(audited.data.filter(({ entityId }) => [post.id, account.id, hook.id].includes(entityId))).toEqual([]);
    // The same id is another thing in another workspace.
    await theirs.client.must(201, 'POST', '/accounts', {
      id: account.id,
      platform: 'instagram',
      username: 'other',
      profileId: 'prof_test',
    });
    await foreign.receives('account.connected');
    expect(foreign.bodies()[0]!.data['username']).toBe('other');
  });

  it('runs the published polling script unchanged but for its URL, key and post id', async () => {
    const { client } = await world().workspace();
    const made = await client.must<{ key: string }>(201, 'POST', '/api-keys', { name: 'Poller', scopes: ['read'] });
    const [good, bad] = [await client.account('ann', 'mastodon'), await client.account('bob.fails', 'linkedin')];
    const post = await client.schedule(good.id, {
      scheduledAt: soon(800),
      destinations: [
        { accountId: good.id, platform: 'mastodon' },
        { accountId: bad.id, platform: 'linkedin' },
      ],
    });
    const script = POLLING_SCRIPT.replace('pe_live_abc123...', made.key)
      .replace('https://app.posteverywhere.ai', world().standalone.url)
      .replace('post_abc123', post.id);
    const folder = mkdtempSync(join(tmpdir(), 'postledger-poll-'));
    try {
      writeFileSync(join(folder, 'poll.mjs'), script);
      writeFileSync(join(folder, 'hurry.mjs'), HURRY);
      const args = ['--import', join(folder, 'hurry.mjs'), join(folder, 'poll.mjs')];
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 90_000 });
      expect(stdout.split('\n')).toEqual([
        expect.stringMatching(/^Published to mastodon: https:\/\/mastodon\.social\/@ann\/\d+$/),
        'Failed on linkedin: Token expired',
        '',
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('streams what happens and resumes after the last event that was seen, without gap or double', async () => {
    const { client } = await world().workspace();
    const { id } = await client.account('ann');
    const first = await LiveReader.open(client.stream('/stream'));
    await client.schedule(id, { id: 'pst_live_1' });
    await eventually(() => expect(first.events.map(({ event }) => event)).toContain('post.published'));
    await first.close();
    const whole = first.events.map(({ event }) => event);
    const start = whole.indexOf('post.scheduled');
    expect(whole.slice(start).sort()).toEqual(['post.destination_published', 'post.published', 'post.scheduled']);
    expect(JSON.parse(first.events.at(-1)!.data)).toMatchObject({ id: first.events.at(-1)!.id, data: {} });

    await client.schedule(id, { id: 'pst_live_2', scheduledAt: '2031-01-01T00:00:00Z' });
    const second = await LiveReader.open(client.stream('/stream', first.events[start]!.id));
    await client.schedule(id, { id: 'pst_live_3', scheduledAt: '2031-01-01T00:00:00Z' });
    const known = first.events.slice(start + 1).map(({ id }) => id);
    await eventually(() => expect(second.events).toHaveLength(known.length + 2));
    expect(second.events.slice(0, known.length).map(({ id }) => id)).toEqual(known);
    expect(
      second.events
        .slice(known.length)
        .map(({ data }) => (JSON.parse(data) as { data: { postId: string } }).data.postId),
    ).toEqual(['pst_live_2', 'pst_live_3']);
    await second.close();
  });
}

/** A reader of Server-Sent Events that can leave. */
class LiveReader {
  readonly events: StreamEvent[] = [];
  private readonly reading: Promise<void>;

  private constructor(
    response: Response,
    private readonly leaving: AbortController,
  ) {
    this.reading = this.read(response);
  }

  /** Resolves when the stream has begun: what happens from now on comes. */
  static async open(open: (signal: AbortSignal) => Promise<Response>): Promise<LiveReader> {
    const leaving = new AbortController();
    return new LiveReader(await open(leaving.signal), leaving);
  }

  async close(): Promise<void> {
    this.leaving.abort();
    await this.reading;
  }

  private async read({ body }: Response): Promise<void> {
    try {
      let rest = '';
      for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + chunk).split('\n\n');
        rest = blocks.pop()!;
        for (const block of blocks) {
          const fields = Object.fromEntries(
            block.split('\n').flatMap((line) => (line.startsWith(':') ? [] : [line.split(/: ?(.*)/s, 2)])),
          ) as Partial<StreamEvent>;
          if (fields.id && fields.event && fields.data !== undefined) this.events.push(fields as StreamEvent);
        }
      }
    } catch (error) {
      if (!this.leaving.signal.aborted) throw error;
    }
  }
}
