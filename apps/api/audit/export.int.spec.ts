import { request, type IncomingMessage } from 'node:http';
import { constants, gunzipSync } from 'node:zlib';
import { eventually } from '#testing';
import { bootApi, type BootedApi, type Send } from '../testing/boot-api';

describe('an export of a long audit log', () => {
  const ENTRIES = 30_000;
  const BATCHES = ENTRIES / 2_000;
  let api: BootedApi;
  let send: Send;
  let apiKey: string;
  let workspace: string;
  /** Batches of entries that the database was asked for. */
  let asked = 0;
  let added = 0;
  /** Until then the database gives the workspace no entries. */
  let held: Promise<void> | undefined;
  const open: IncomingMessage[] = [];

  beforeAll(async () => {
    api = await bootApi({ views: true });
    const made = (await api.send('POST', '/workspaces', { name: 'Long' })).body as { id: string; apiKey: string };
    apiKey = made.apiKey;
    send = api.as(apiKey);
    await send('GET', '/audit-log');
    const { db } = api.running.engines;
    workspace = made.id;
    await add(0, ENTRIES);
    const inWorkspace = db.inWorkspace.bind(db);
    jest.spyOn(db, 'inWorkspace').mockImplementation((id) => {
      const reads = inWorkspace(id);
      return {
        query: <Row>(text: string, params: readonly unknown[] = []) => {
          const isOfEntries = text.includes('(select * from read.audit where');
          if (isOfEntries) asked++;
          const answer = () => reads.query<Row>(text, params);
          return isOfEntries && id === workspace && held ? held.then(answer) : answer();
        },
      };
    });
  });
  afterAll(async () => {
    for (const response of open) response.destroy();
    await api.close();
  });

  /** Entries of some 1,300 bytes that hardly can be packed, as the projector would have written them. */
  const add = (after: number, count: number) =>
    api.running.engines.db.query(
      `insert into read.audit_v1 (workspace, position, event_id, at, latest, action, entity_type, entity_id, actor, correlation_id, causation_id,
          revision, data, hash, previous_hash)
        select $1, 1000 + n, md5('e' || n)::uuid, now(), now(), 'Act', 'noun', 'id_' || n, 'usr_' || n % 10, 'c', null, 0,
          '{"text":"' || (select string_agg(encode(sha256((n || ',' || k)::text::bytea), 'base64'), '') from generate_series(1, 20) k) || '"}', '', null
        from generate_series($2::int + 1, $2::int + $3::int) n`,
      [workspace, after, count],
    );
  const begin = (query: string, encoding: string) =>
    new Promise<IncomingMessage>((begun, failed) =>
      request(
        `${api.running.url}/api/v1/audit-log/export?${query}`,
        { headers: { authorization: `Bearer ${apiKey}`, 'accept-encoding': encoding } },
        (response) => (open.push(response), begun(response)),
      )
        .on('error', failed)
        .end(),
    );
  /** What came until `enough` bytes had, or the end; then the connection is cut. */
  async function take(response: IncomingMessage, enough = Infinity): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      if ((bytes += chunk.length) >= enough) break;
    }
    const all = Buffer.concat(chunks);
    if (response.headers['content-encoding'] !== 'gzip') return all.toString();
    return gunzipSync(all, { finishFlush: constants.Z_SYNC_FLUSH }).toString();
  }
  const positionsIn = (text: string) =>
    [...text.matchAll(/"position":(\d+),/g)].map(([, position]) => Number(position));

  it.each(['identity', 'gzip'])('reads no further than its reader does (%s)', async (encoding) => {
    const before = asked;
    const slow = await begin('', encoding);
    slow.pause();
    const whole = positionsIn(await take(await begin('', 'identity')));
    expect(whole).toHaveLength(ENTRIES + 2);
    const askedBySlow = asked - before - (BATCHES + 1);
    expect(askedBySlow).toBeGreaterThan(0);
    expect(askedBySlow).toBeLessThan(BATCHES - 5);
    slow.destroy();
  });

  it.each([
    ['identity', 'ndjson'],
    ['gzip', 'ndjson'],
    ['gzip', 'csv'],
  ])('goes on where it broke off, with nothing twice and nothing left out (%s, %s)', async (encoding, format) => {
    const query = `actor=usr_7&format=${format}`;
    const isLine = (line: string) => line.startsWith(format === 'csv' ? 'evt_' : '{');
    const linesIn = (text: string) => text.split('\n').filter(isLine);
    const whole = linesIn(await take(await begin(query, 'identity')));
    expect(whole.length).toBe((ENTRIES + added) / 10);
    const broken = await take(await begin(query, encoding), 300_000);
    const first = linesIn(broken.slice(0, broken.lastIndexOf('\n')));
    expect(first.length).toBeGreaterThan(10);
    expect(first.length).toBeLessThan(whole.length);
    // What is written meanwhile is newer, and in neither part.
    await add(ENTRIES + added, 10);
    added += 10;
    const position =
      format === 'csv' ? first.at(-1)!.split(',')[1] : (JSON.parse(first.at(-1)!) as { position: number }).position;
    const rest = linesIn(await take(await begin(`${query}&cursor=${position}`, encoding)));
    expect(first.length + rest.length).toBe(whole.length);
    expect([...first, ...rest].join('\n') === whole.join('\n')).toBe(true);
  });

  it('takes turns with the others of its workspace, as lists do, and another workspace with none of them', async () => {
    let release!: () => void;
    held = new Promise((go) => (release = go));
    asked = 0;
    const exports = Array.from({ length: 5 }, () => begin('actor=usr_7', 'identity'));
    const lists = Array.from({ length: 10 }, () => send('GET', '/audit-log'));
    await eventually(() => asked >= 5);
    expect((await api.send('GET', '/audit-log')).status).toBe(200);
    // Of four lists, of one export, and of the other workspace.
    expect(asked).toBe(6);
    held = undefined;
    release();
    for (const { status } of await Promise.all(lists)) expect(status).toBe(200);
    for (const response of await Promise.all(exports))
      expect(positionsIn(await take(response))).toHaveLength((ENTRIES + added) / 10);
  });

  it('begins, of more than eight of a workspace, when one was taken or left', async () => {
    const slow = await Promise.all(Array.from({ length: 8 }, () => begin('', 'identity')));
    let begun = 0;
    const ninth = begin('actor=usr_7', 'identity').then((response) => (begun++, response));
    const left = request(`${api.running.url}/api/v1/audit-log/export`, {
      headers: { authorization: `Bearer ${apiKey}` },
    }).on('error', () => undefined);
    left.end();
    // Verifications wait in the same line for what they read: a ninth that had begun would have been before the second.
    for (let n = 0; n < 3; n++) expect((await send('GET', '/audit-log/verify')).status).toBe(200);
    expect(begun).toBe(0);
    left.destroy();
    for (const response of slow) response.destroy();
    expect(positionsIn(await take(await ninth))).toHaveLength((ENTRIES + added) / 10);
    const others = await Promise.all(Array.from({ length: 8 }, () => begin('', 'identity')));
    for (const response of others) response.destroy();
  });

  it('takes a cursor of the list as well, and no other', async () => {
    const page = await send('GET', '/audit-log?actor=usr_7&limit=150');
    const rest = positionsIn(await take(await begin(`actor=usr_7&cursor=${page.at('nextCursor')}`, 'identity')));
    const shown = page.at<{ position: number }[]>('data').map(({ position }) => position);
    expect(new Set([...shown, ...rest]).size).toBe(shown.length + rest.length);
    expect(rest[0]).toBeLessThan(shown.at(-1)!);
    for (const cursor of ['x', '-1', '12345678901234567'])
      for (const format of ['ndjson', 'csv']) {
        const path = `/audit-log/export?format=${format}&cursor=${cursor}`;
        const refused = await send('GET', path, undefined, { 'accept-encoding': 'gzip' });
        expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: '/cursor' }] } });
        for (const ofFiles of ['content-encoding', 'content-disposition'])
          expect(refused.headers).not.toHaveProperty(ofFiles);
      }
  });

  it('is packed only for those who take it', async () => {
    for (const [encoding, packed] of [
      ['gzip', 'gzip'],
      ['br, gzip;q=0.5', 'gzip'],
      ['GZIP', 'gzip'],
      ['identity', undefined],
      ['gzip;q=0', undefined],
      ['gzip ; q=0.000, br', undefined],
    ] as const) {
      const response = await begin('actor=usr_nobody', encoding);
      expect([encoding, response.headers['content-encoding']]).toEqual([encoding, packed]);
      expect(await take(response)).toBe('');
    }
  });
});
