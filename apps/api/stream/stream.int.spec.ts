import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { eventually } from '#testing';
import { Written } from '../commands/written';
import { KeyStore } from '../keys/key-store';
import { bootApi, type BootedApi } from '../testing/boot-api';
import { LiveStream } from './live-stream';
import { STALLED_MS } from './reader';

interface Told {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

describe('the live stream', () => {
  let api: BootedApi;
  beforeAll(async () => (api = await bootApi({ views: true })));
  afterAll(() => api.close());

  const open: { close(): void }[] = [];
  afterEach(() => open.splice(0).forEach((stream) => stream.close()));

  /** A reader of the stream; with `pause` it takes nothing off its socket. */
  async function listen(options: { lastEventId?: string; key?: string; pause?: boolean } = {}) {
    const told: Told[] = [];
    const state = { ended: false, text: '' };
    const outgoing = request(`${api.running.url}/api/v1/stream`, {
      headers: {
        authorization: `Bearer ${options.key ?? api.key}`,
        ...(options.lastEventId && { 'last-event-id': options.lastEventId }),
      },
    });
    const response = await new Promise<IncomingMessage>((take, fail) =>
      outgoing.on('response', take).on('error', fail).end(),
    );
    const read = () => {
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        state.text += chunk;
        const parts = (rest + chunk).split('\n\n');
        rest = parts.pop()!;
        for (const part of parts.filter((each) => !each.startsWith(':')))
          told.push(
            Object.fromEntries(
              part.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
            ),
          );
      });
      response.on('end', () => (state.ended = true)).on('error', () => (state.ended = true));
    };
    if (!options.pause) read();
    const stream = { told, state, response, read, close: () => outgoing.destroy() };
    open.push(stream);
    return stream;
  }

  let made = 0;
  const connect = async (send = api.send) => {
    const { status } = await send('POST', '/accounts', {
      id: `acct_s${++made}`,
      platform: 'instagram',
      username: 'ü\nn',
      profileId: 'p',
    });
    expect(status).toBe(201);
    return `acct_s${made}`;
  };
  const accountsOf = (told: readonly Told[]) =>
    told.map(({ data }) => (JSON.parse(data!) as { data: { accountId: string } }).data.accountId);

  it('tells what happens with the id, the type and the body of the core contract', async () => {
    const { told, response } = await listen();
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-correlation-id': expect.any(String),
    });
    const accountId = await connect();
    await eventually(() => expect(told).toHaveLength(1));
    const body = JSON.parse(told[0]!.data!) as { id: string };
    expect(body).toEqual({
      id: told[0]!.id,
      type: 'account.connected',
      createdAt: expect.any(String),
      data: { accountId, platform: 'instagram', username: 'ü\nn', profileId: 'p' },
    });
    expect(told[0]).toMatchObject({ event: 'account.connected', id: expect.stringMatching(/^evt_/) });
  });

  it('resumes after the last event, with no gap and no double, also in the middle of an event that says two things', async () => {
    await api.send('POST', '/operations', { id: 'op_1', kind: 'image' });
    const first = await listen();
    await api.send('POST', '/operations/op_1/fail', { error: { code: 'x', message: 'y' } });
    await connect();
    await eventually(() => expect(first.told.length).toBeGreaterThanOrEqual(3));
    const ids = first.told.map(({ id }) => id!);
    expect(first.told.slice(0, 2).map(({ event }) => event)).toEqual(['image.generation_failed', 'operation.failed']);
    for (const [index, lastEventId] of ids.entries()) {
      const again = await listen({ lastEventId });
      await eventually(() => expect(again.told.map(({ id }) => id)).toEqual(ids.slice(index + 1)));
    }
  });

  it('tells everything once to readers that come and go while much happens', async () => {
    const whole = await listen();
    const writing = (async () => {
      const written: string[] = [];
      for (let n = 0; n < 150; n++) written.push(await connect());
      return written;
    })();
    const heard: string[] = [];
    let lastEventId: string | undefined;
    await eventually(() => expect(whole.told.length).toBeGreaterThan(5));
    lastEventId = whole.told[0]!.id!;
    heard.push(...accountsOf(whole.told.slice(0, 1)));
    while (heard.length < 150) {
      const stream = await listen({ lastEventId });
      const enough = Math.min(heard.length + 17, 150) - heard.length;
      await eventually(() => expect(stream.told.length).toBeGreaterThanOrEqual(enough));
      heard.push(...accountsOf(stream.told));
      lastEventId = stream.told.at(-1)!.id!;
      stream.close();
    }
    expect(heard).toEqual(await writing);
  });

  it('tells nothing that the parts of Postledger say to each other alone', async () => {
    const { told } = await listen();
    const endpoint = { targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] };
    expect((await api.send('POST', '/webhooks/endpoints', endpoint)).status).toBe(201);
    await connect();
    await eventually(() => expect(told.map(({ event }) => event)).toContain('account.connected'));
    expect(told).toHaveLength(1);
  });

  it('tells nobody of another workspace', async () => {
    const { apiKey } = (await api.send('POST', '/workspaces', { name: 'Other' })).body as { apiKey: string };
    const theirs = await listen({ key: apiKey });
    await connect();
    await connect(api.as(apiKey));
    await eventually(() => expect(theirs.told).toHaveLength(1));
    const ours = await listen();
    await connect();
    await eventually(() => expect(ours.told).toHaveLength(1));
    // One that the audit log alone knows, one that was told here, and one of the outbox.
    const known = (await api.send('GET', '/audit-log?action=AccountConnected&limit=2')).at('data', 1, 'id');
    const outboxed = 'evt_00000000-0000-8000-8000-0000000000aa';
    const headers = { ce_source: `urn:postledger:workspace:${api.workspace}`, 'postledger-position': '1.0' };
    await api.running.engines.db.query(
      "insert into bus.message (position, created_at, partition, topic, key, id, type, headers, value) values (1, now(), 0, 't', 'k', $1, 't', $2, '')",
      [outboxed, JSON.stringify(headers)],
    );
    for (const mine of [known, ours.told[0]!.id, outboxed])
      expect(await api.as(apiKey)('GET', '/stream', undefined, { 'last-event-id': mine })).toMatchObject({
        status: 422,
        body: { code: 'EVENT_UNKNOWN' },
      });
    expect((await listen({ lastEventId: outboxed })).response.statusCode).toBe(200);
  });

  it('tells a client key what is left of its requests, and ends at once for who wants its head alone', async () => {
    const issued = await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'], kind: 'client' });
    const { response } = await listen({ key: issued.at('key') });
    expect(response.headers).toMatchObject({ 'ratelimit-limit': '60', 'ratelimit-remaining': '59' });
    expect(await api.send('HEAD', '/stream')).toMatchObject({
      status: 200,
      text: '',
      headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    });
  });

  it('refuses to resume after what it does not know', async () => {
    expect(await api.send('GET', '/stream', undefined, { 'last-event-id': 'evt_nothing' })).toMatchObject({
      status: 422,
      body: { code: 'EVENT_UNKNOWN' },
    });
  });

  /** An event of 200 KB. */
  const heavy = (gallery: string) =>
    api.send('POST', `/galleries/${gallery}/update`, {
      region: 'r',
      added: [],
      removed: Array.from({ length: 1_000 }, (_, index) => `${index} ${'x'.repeat(190)}`),
    });

  it('tells much that happens at once to every reader that takes it', async () => {
    const quick = await listen();
    await connect();
    await eventually(() => expect(quick.told).toHaveLength(1));
    // In one commit, so that it is read at once.
    const answers = await Promise.all(Array.from({ length: 60 }, (_, nth) => heavy(`gal_${nth}`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await eventually(() => expect(quick.told).toHaveLength(61));
    expect(new Set(quick.told.map(({ id }) => id)).size).toBe(61);
  });

  it('drops a reader that takes nothing, and says so, while others hear everything', async () => {
    const readers = async () =>
      Number(/^postledger_stream_readers\S* (\d+)$/m.exec((await api.send('GET', '//metrics')).text)![1]);
    const live = api.running.app.get(LiveStream);
    Object.assign(live, { stalledMs: 300 });
    const slow = await listen({ pause: true });
    Object.assign(live, { stalledMs: STALLED_MS });
    const quick = await listen();
    await eventually(async () => expect(await readers()).toBe(2));
    let sent = 0;
    for (; (await readers()) > 1; sent++) expect((await heavy('gal_heavy')).status).toBe(200);
    // What it is told last waits for it ten seconds.
    slow.read();
    await eventually(() => expect(slow.state.ended).toBe(true));
    expect(slow.told.at(-1)).toEqual({ event: 'stream.dropped', data: '{"reason":"slow"}' });
    for (; sent < 80; sent++) expect((await heavy('gal_heavy')).status).toBe(200);
    await eventually(() => expect(quick.told).toHaveLength(sent));
    const resumed = await listen({ lastEventId: slow.told.at(-2)!.id! });
    await eventually(() => expect(slow.told.length - 1 + resumed.told.length).toBe(sent));
  });

  it('tells one that catches up no more than it takes, and drops it when it takes nothing', async () => {
    const { db, store, wake, log, keys } = api.running.engines;
    const live = new LiveStream(
      { db, store, wake, log, keys, metrics: new Registry() },
      api.running.app.get(KeyStore),
      api.running.app.get(Written),
      300,
    );
    let waiting = 0;
    let response: ServerResponse | undefined;
    const server = createServer((_, to) => {
      response = to.writeHead(200);
      const write = to.write.bind(to) as (text: string) => boolean;
      to.write = ((text: string) => {
        const isTaken = write(text);
        waiting = Math.max(waiting, to.writableLength);
        return isTaken;
      }) as typeof to.write;
      live.add({ workspace: api.workspace, after: 0, key: api.key, response: to });
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const stopped = await new Promise<IncomingMessage>((take) => request({ port }, take).end());
    await eventually(() => expect(response!.writableEnded).toBe(true));
    expect(waiting).toBeLessThan(2 * 1024 * 1024);
    let text = '';
    stopped.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await eventually(() => expect(text).toMatch(/event: stream\.dropped\ndata: \{"reason":"slow"\}\n\n$/));
    live.close();
    await new Promise((done) => server.close(done));
  });

  it('ends the streams of a key that has ended', async () => {
    const { id, key } = (await api.send('POST', '/api-keys', { name: 'n', scopes: ['read'] })).body as {
      id: string;
      key: string;
    };
    const stream = await listen({ key });
    await api.send('DELETE', `/api-keys/${id}`);
    await eventually(() => expect(stream.state.ended).toBe(true));
    expect(stream.told).toEqual([{ event: 'stream.dropped', data: '{"reason":"key"}' }]);
  });

  it('carries a thousand readers at once', async () => {
    const streams = await Promise.all(Array.from({ length: 1_000 }, () => listen()));
    await connect();
    await eventually(() => expect(streams.filter(({ told }) => told.length === 1)).toHaveLength(1_000));
  });

  it('says every fifteen seconds that it is still here, as a comment', async () => {
    const every = jest.spyOn(global, 'setInterval');
    const own = await bootApi();
    const beats = every.mock.calls.filter(([, ms]) => ms === 15_000).map(([beat]) => beat as () => void);
    every.mockRestore();
    const response = await new Promise<IncomingMessage>((take, fail) =>
      request(`${own.running.url}/api/v1/stream`, { headers: { authorization: `Bearer ${own.key}` } }, take)
        .on('error', fail)
        .end(),
    );
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    for (let beat = 1; beat <= 2; beat++) {
      for (const run of beats) run();
      await eventually(() => expect(text).toMatch(new RegExp(`(: still here\\n\\n){${beat}}$`)));
    }
    response.destroy();
    await own.close();
  });

  it('lets the process stop while it is open', async () => {
    const own = await bootApi();
    const stream = await new Promise<IncomingMessage>((take) =>
      request(`${own.running.url}/api/v1/stream`, { headers: { authorization: `Bearer ${own.key}` } }, take).end(),
    );
    let text = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await own.close();
    await eventually(() => expect(text).toContain('{"reason":"shutdown"}'));
  });
});
