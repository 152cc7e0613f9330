import { randomBytes, randomUUID } from 'node:crypto';
import { Database, type Workspaces } from '#postgres';
import { DeliveriesQuery, KeyedTable, postsView, readModels, verifyAudit } from '#read-models';
import { eventually } from '#testing';
import { listKeys } from '../keys/keys.query';
import { bootApi, type BootedApi } from '../testing/boot-api';

/** Every relation that holds nothing of a workspace, or nothing that names one, though the reader may read it. */
const OF_NOBODY: Readonly<Record<string, string>> = {
  'projector.checkpoint': 'how far each view is: names and positions',
  'delivery.lease': 'ids of deliveries in the hands of a worker, which say nothing without the delivery',
};

/** Views that read as the owner and hold the lock as a condition of their own. */
const LOCKED_BY_THEMSELVES = ['delivery.own_body', 'read.content_by_list', 'read.posts_by_list'];

describe('the second lock', () => {
  let api: BootedApi;
  let unlocked: Database;
  let theirs: string;
  beforeAll(async () => {
    api = await bootApi({ views: true });
    unlocked = new Database(api.running.engines.settings.databaseUrl!, { max: 2 });
    theirs = ((await api.send('POST', '/workspaces', { name: 'Other' })).body as { id: string }).id;
    await makeThings();
  });
  afterAll(async () => {
    await unlocked.end();
    await api.close();
  });

  /** Rows of the first workspace wherever the api reads. */
  async function makeThings(): Promise<void> {
    const make = async (path: string, body: object) =>
      expect([path, (await api.send('POST', path, body)).status]).toEqual([path, expect.any(Number)]);
    await make('/accounts', { id: 'acct_mine', platform: 'instagram', username: 'n', profileId: 'p' });
    await make('/posts', {
      id: 'pst_mine',
      profileId: 'p',
      content: { text: 'x' },
      destinations: [{ accountId: 'acct_mine', platform: 'instagram' }],
    });
    await make('/webhooks/endpoints', { id: 'whe_mine', targetUrl: 'http://127.0.0.1:9/', eventTypes: ['*'] });
    await eventually(async () =>
      expect((await api.send('GET', '/posts?platform=instagram')).at<unknown[]>('data')).toHaveLength(1),
    );
    const id = '01a1fc5d-04f2-795e-8a37-350f031a1381';
    await unlocked.script(`
      insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
        values ('${api.workspace}', 'whe_mine', '{}', true, 'live', 0, 0, '[]', 1);
      insert into delivery.body (id, body) values ('${id}', '{"mine":true}');
      insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
        select '${id}', no, 1, 1, '${randomUUID()}', '${randomUUID()}', '${id}', 'post.published', 'k' from delivery.endpoint;
      insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code) values ('${id}', 1, now(), 1, true, 200);
      insert into projector.checkpoint (name, version, shape, status, position) select 'audit', 1, '', 'current', max(position) from log.event;
      insert into delivery.job (id, workspace, endpoint, since, until) select 'job_mine', workspace, no, now(), now() from delivery.endpoint`);
  }

  /** The queries as they are, with the condition on the workspace forgotten; `as` is who they then run for. */
  const forgetful = (db: Database, as: string, seen: string[] = []): Workspaces => ({
    inWorkspace: () => ({
      query: (text, params) => {
        const without = text
          .replaceAll(/\b(\w\.)?workspace = \$(\d)/g, '$$$2::text is not null')
          .replaceAll('in_workspace', `'${api.workspace}'`);
        seen.push(without === text ? `unchanged: ${text}` : without);
        return db.inWorkspace(as).query(without, params);
      },
    }),
  });

  /** Every read of the api, asked for the things of the first workspace: what it finds. */
  async function everyRead(db: Workspaces): Promise<Record<string, number>> {
    const { audit, ...models } = readModels(db);
    const mine = api.workspace;
    const found: Record<string, number> = {};
    const page = { limit: 50 };
    for (const query of [models.accounts, models.posts, models.webhookEndpoints]) {
      const id = { accounts: 'acct_mine', posts: 'pst_mine', webhook_endpoints: 'whe_mine' }[query.view.name]!;
      found[`${query.view.name} by id`] = (await query.get(mine, id)) ? 1 : 0;
      found[`${query.view.name} listed`] = (await query.list(mine, {}, page)).data.length;
    }
    found['posts by platform'] = (await models.posts.list(mine, { platform: 'instagram' }, page)).data.length;
    found['audit log'] = (await audit.list(mine, {}, page)).data.length;
    const range = { from: '2020-01-01T00:00:00.000Z', to: '2100-01-01T00:00:00.000Z' };
    found['audit log of a time'] = await audit.list(mine, range, page).then(
      ({ data }) => data.length,
      (error: { code?: string }) => {
        // More heads of chains than its own, where it asks for one.
        if (error.code === '21000') return Infinity;
        throw error;
      },
    );
    const verdict = await verifyAudit({ db, store: api.running.engines.store }, mine);
    found['audit verified'] = verdict.ok ? verdict.entries : 0;
    const deliveries = new DeliveriesQuery(db);
    for (const status of [undefined, 'delivered'] as const)
      found[`deliveries ${status ?? 'listed'}`] = (await deliveries.list(mine, { status }, page)).data.length;
    const delivery = await deliveries.get(mine, 'dlv_01a1fc5d-04f2-795e-8a37-350f031a1381');
    found['delivery by id'] = delivery ? 1 : 0;
    found['attempts'] = delivery?.attempts.length ?? 0;
    found['feed'] = (await deliveries.feed(mine, 'whe_mine', { after: 0, limit: 10 }))?.data.length ?? 0;
    found['job'] = (await deliveries.job(mine, 'job_mine')) ? 1 : 0;
    found['keys'] = (await listKeys(db, mine, 50)).data.length;
    return found;
  }

  it('finds nothing of another workspace for any read of the api whose own condition is forgotten', async () => {
    const locked = api.running.engines.db;
    const seen: string[] = [];
    const found = await everyRead(forgetful(locked, theirs, seen));
    const nothing = Object.fromEntries(Object.keys(found).map((name) => [name, 0]));
    // The other workspace has a key and two entries of its own, which is what a list without a condition shows of it.
    expect(found).toEqual({ ...nothing, 'audit log': 2, keys: 1 });
    expect(seen.filter((text) => text.startsWith('unchanged'))).toEqual([]);
  });

  it('is what finds nothing: without it the same reads show what is not theirs, and for its own workspace it hides nothing', async () => {
    const own = await everyRead(api.running.engines.db);
    expect(Object.entries(own).filter(([, n]) => n === 0)).toEqual([]);
    const open = await everyRead(forgetful(unlocked, theirs));
    // Only the verification sees that what it is shown is not one workspace's log.
    expect(Object.entries(open).filter(([name, n]) => n < own[name]!)).toEqual([['audit verified', 0]]);
  });

  it('covers every table that knows its workspace, and all else that the reader may read', async () => {
    const rows = await unlocked.query<{
      name: string;
      knows: boolean;
      locked: boolean;
      readable: boolean;
      kind: string;
    }>(`
      select format('%s.%s', n.nspname, c.relname) as name, c.relkind as kind,
        exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'workspace' and not a.attisdropped) as knows,
        case c.relkind when 'v' then coalesce('security_invoker=true' = any (c.reloptions), false)
          else c.relrowsecurity and exists (select from pg_policy p where p.polrelid = c.oid and p.polcmd = '*' and p.polpermissive)
        end as locked,
        has_table_privilege('postledger_reader', c.oid, 'select') as readable
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition`);
    const open = rows.filter(({ name, knows, locked, readable }) => (knows || readable) && !locked && !OF_NOBODY[name]);
    expect(open.map(({ name }) => name).sort()).toEqual(LOCKED_BY_THEMSELVES);
    expect(rows.filter(({ knows }) => knows).length).toBeGreaterThan(25);
    expect(
      await unlocked.query(
        "select 1 from pg_class c where c.relispartition and has_table_privilege('postledger_reader', c.oid, 'select')",
      ),
    ).toEqual([]);
  });

  it('is on the table of a rebuilt view as soon as readers are led to it', async () => {
    const table = new KeyedTable(postsView, 'read.posts_v2');
    await table.prepare(unlocked);
    await unlocked.script('insert into read.posts_v2 select * from read.posts_v1');
    await table.publish(unlocked);
    const { posts } = readModels(forgetful(api.running.engines.db, theirs));
    expect(await posts.get(api.workspace, 'pst_mine')).toBeUndefined();
    expect((await posts.list(api.workspace, { platform: 'instagram' }, { limit: 5 })).data).toEqual([]);
    const own = readModels(api.running.engines.db).posts;
    expect(await own.get(api.workspace, 'pst_mine')).toBeDefined();
    expect((await own.list(api.workspace, { platform: 'instagram' }, { limit: 5 })).data).toHaveLength(1);
    await new KeyedTable(postsView, 'read.posts_v1').publish(unlocked);
    await table.drop(unlocked);
  });

  it('is told by health and metrics, and can be off without any read failing', async () => {
    const ready = await api.send('GET', '//health/ready');
    expect(ready.at('parts', 'database', 'rowSecurity')).toBe('on');
    expect((await api.send('GET', '//metrics')).text).toMatch(/^postledger_row_security\{[^}]*\} 1$/m);
    const off = await bootApi({
      databaseUrl: api.running.engines.settings.databaseUrl!,
      env: { POSTLEDGER_API_KEY: api.key, ROW_SECURITY: 'off' },
    });
    expect((await off.send('GET', '//health/ready')).at('parts', 'database', 'rowSecurity')).toBe(
      'off: ROW_SECURITY says so',
    );
    expect((await off.send('GET', '//metrics')).text).toMatch(/^postledger_row_security\{[^}]*\} 0$/m);
    for (const path of [
      '/posts',
      '/posts?platform=instagram',
      '/posts/pst_mine',
      '/audit-log',
      '/webhooks/deliveries',
      '/api-keys',
    ])
      expect([path, (await off.send('GET', path)).status]).toEqual([path, 200]);
    expect(
      (await off.send('GET', '/webhooks/deliveries/dlv_01a1fc5d-04f2-795e-8a37-350f031a1381')).at(
        'attempts',
        0,
        'statusCode',
      ),
    ).toBe(200);
    await off.close();
  });
});

describe('a database whose user may not make roles', () => {
  it('serves every read, says once why the lock is off, and refuses where it is required', async () => {
    const admin = new Database(process.env['TEST_POSTGRES_URL']!, { max: 1 });
    const name = `managed_${randomBytes(4).toString('hex')}`;
    await admin.script(`create role ${name} login password 'managed'`);
    await admin.script(`create database ${name} owner ${name}`);
    const url = new URL(process.env['TEST_POSTGRES_URL']!);
    Object.assign(url, { username: name, password: 'managed', pathname: `/${name}` });
    const api = await bootApi({ databaseUrl: url.href, views: true });
    expect((await api.send('GET', '//health/ready')).at('parts', 'database', 'rowSecurity')).toBe(
      `off: ${name} may not take the role postledger_reader`,
    );
    const account = { platform: 'instagram', username: 'n', profileId: 'p' };
    const connected = await api.send('POST', '/accounts', account);
    expect(await api.send('GET', `/accounts/${connected.at('id')}`)).toMatchObject({ status: 200 });
    expect((await api.send('GET', '/accounts')).at<unknown[]>('data')).toHaveLength(1);
    expect((await api.send('GET', '/audit-log')).at<unknown[]>('data').length).toBeGreaterThan(1);
    await expect(bootApi({ databaseUrl: url.href, env: { ROW_SECURITY: 'required' } })).rejects.toThrow(
      'ROW_SECURITY is required, and the database cannot have it',
    );
    // The administrator has given it meanwhile; nothing else is needed than another start.
    await admin.script(`grant postledger_reader to ${name}`);
    const other = await bootApi({
      databaseUrl: url.href,
      env: { POSTLEDGER_API_KEY: api.key, ROW_SECURITY: 'required' },
    });
    expect((await other.send('GET', '/accounts')).at<unknown[]>('data')).toHaveLength(1);
    await other.close();
    await api.close();
    await admin.script(`drop database ${name} with (force)`);
    await admin.script(`drop role ${name}`);
    await admin.end();
  });
});
