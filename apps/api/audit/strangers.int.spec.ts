import { randomUUID } from 'node:crypto';
import { bootApi, type BootedApi, type Send } from '../testing/boot-api';

interface Workspace {
  readonly id: string;
  readonly send: Send;
}

describe('an event of another workspace in a stream', () => {
  let api: BootedApi;
  beforeAll(async () => {
    api = await bootApi({ views: true });
    await api.running.engines.db.query(
      "insert into projector.checkpoint (name, version, shape, status, position) values ('audit', 1, '1', 'current', 0)",
    );
  });
  afterAll(() => api.close());

  async function workspace(): Promise<Workspace> {
    const { id, apiKey } = (await api.send('POST', '/workspaces', { name: 'n' })).body as Record<
      'id' | 'apiKey',
      string
    >;
    return { id, send: api.as(apiKey) };
  }

  /** A workspace with a design that waits for its review. */
  async function reviewing(): Promise<Workspace> {
    const own = await workspace();
    expect((await own.send('POST', '/designs', { id: 'dsg_b', clientId: 'c' })).status).toBe(201);
    expect((await own.send('POST', '/designs/dsg_b/submit')).status).toBe(200);
    return own;
  }

  /** What verification says once the audit log has all that was written. */
  async function verified({ send }: Workspace): Promise<unknown> {
    const { db } = api.running.engines;
    await send('GET', '/audit-log');
    await db.query("update projector.checkpoint set position = (select position from log.head) where name = 'audit'");
    return (await send('GET', '/audit-log/verify')).body;
  }
  const eventsOf = async ({ id }: Workspace) =>
    api.running.engines.db.query<{ id: string; position: number; revision: number }>(
      "select 'evt_' || event_id as id, position, revision from log.event where stream = $1 order by revision",
      [`design-${id}:dsg_b`],
    );
  const brokenBy = (event: { id: string; position: number } | undefined, reason: string) => ({
    ok: false,
    broken: { id: event!.id, position: event!.position, reason },
  });

  /** An approval that nobody gave, as of a workspace that there is not, before all positions. */
  async function forge({ id }: Workspace): Promise<void> {
    await api.running.engines.db.query(
      `insert into log.event (position, revision, recorded_at, event_id, stream, type, workspace, data, metadata)
       select (select min(position) - 1 from log.event), 2, recorded_at, $2::uuid, stream, 'DesignApproved', 'ws_nowhere', data,
         (metadata::jsonb || '{"workspace":"ws_nowhere"}')::json
       from log.event where stream = $1 and revision = 1`,
      [`design-${id}:dsg_b`, randomUUID()],
    );
  }

  const move = async ({ id }: Workspace, to: string) =>
    api.running.engines.db.query('update log.event set stream = $2 where stream = $1', [
      `design-${id}:dsg_b`,
      `design-${to}:dsg_b`,
    ]);

  it('is noticed at the end of the stream, and nothing is decided or shown on its word', async () => {
    const own = await reviewing();
    expect(await verified(own)).toMatchObject({ ok: true });
    await forge(own);
    const [, , forged] = await eventsOf(own);
    expect(await verified(own)).toEqual(brokenBy(forged, 'inserted'));
    for (const [method, path] of [
      ['GET', '/audit-log/entities/design/dsg_b'],
      ['POST', '/designs/dsg_b/approve'],
      ['POST', '/designs/dsg_b/compliance'],
    ] as const) {
      const body = path.endsWith('compliance') ? { guidelines: [], violations: [] } : undefined;
      expect([path, (await own.send(method, path, body)).status]).toEqual([path, 500]);
    }
    expect(await eventsOf(own)).toHaveLength(3);
    // Nobody else is any the worse for it.
    expect(await verified(await reviewing())).toMatchObject({ ok: true });
  });

  it('is noticed in the middle of the stream, and so is the hole that it leaves when it is taken out again', async () => {
    const own = await reviewing();
    await forge(own);
    const { db, store } = api.running.engines;
    const [, submitted, forged] = await eventsOf(own);
    // By a build that believed it.
    const [before] = await store.read(`design-${own.id}:dsg_b`, 1, 1);
    const next = {
      ...before!,
      id: randomUUID(),
      type: 'DesignRevisionRequested',
      data: { designId: 'dsg_b', note: null },
    };
    await store.append(`design-${own.id}:dsg_b`, [next], 2);
    expect(await verified(own)).toEqual(brokenBy(forged, 'inserted'));
    await db.query('delete from log.event where position = $1', [forged!.position]);
    const [, , last] = await eventsOf(own);
    expect([submitted!.revision, last!.revision]).toEqual([1, 3]);
    expect(await verified(own)).toEqual(brokenBy(last, 'missing'));
  });

  it('is noticed on both sides when a stream was moved to another workspace', async () => {
    const [own, other] = [await reviewing(), await workspace()];
    const [first] = await eventsOf(own);
    await move(own, other.id);
    expect(await verified(own)).toEqual(brokenBy(first, 'changed'));
    expect(await verified(other)).toEqual(brokenBy(first, 'inserted'));
    // It does not become the other's, whose views would stop at what follows a thing that they have not.
    expect((await other.send('POST', '/designs/dsg_b/approve')).status).toBe(500);
    expect((await other.send('GET', '/audit-log/entities/design/dsg_b')).status).toBe(500);
  });

  it('is noticed when its stream was moved to a workspace that there is not', async () => {
    const own = await reviewing();
    const [first] = await eventsOf(own);
    await move(own, 'ws_nowhere');
    expect(await verified(own)).toEqual(brokenBy(first, 'changed'));
  });

  it('is called changed where it is the workspace’s own, which was given to another', async () => {
    const own = await reviewing();
    const [, submitted] = await eventsOf(own);
    await api.running.engines.db.query("update log.event set workspace = 'ws_nowhere' where position = $1", [
      submitted!.position,
    ]);
    expect(await verified(own)).toEqual(brokenBy(submitted, 'changed'));
  });

  it('is not seen where many things share a stream, or personal data was erased', async () => {
    const own = await workspace();
    const done = async (path: string, body: object) =>
      expect([path, (await own.send('POST', path, body)).status < 300]).toEqual([path, true]);
    for (const n of [1, 2, 3]) {
      await done('/team/invitations', { id: `inv_${n}`, email: `a${n}@example.com`, role: 'editor' });
      await done(`/team/invitations/inv_${n}/accept`, { userId: `usr_${n}` });
      await done('/accounts', { id: `acct_${n}`, platform: 'instagram', username: 'n', profileId: 'p' });
    }
    await done('/subjects/usr_2/erase', {});
    const verdict = (await verified(own)) as { entries: number };
    expect(verdict).toMatchObject({ ok: true });
    expect(verdict.entries).toBeGreaterThanOrEqual(12);
  });
});
