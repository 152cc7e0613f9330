import { lockRows, type Database, type Workspaces } from '#postgres';
import type { Engines } from '#platform';
import {
  AuditQuery,
  cursorAt,
  AuditTable,
  DELIVERY_STATUSES,
  DeliveriesQuery,
  KeyedQuery,
  KeyedTable,
  keyedViews,
  type AuditFilters,
  type KeyedView,
} from '#read-models';
import { readings, testDatabase, type Reading, type TestDatabase } from '#testing';
import { listKeys } from '../keys/keys.query';
import { EventPlaces } from '../stream/event-places';

const ROWS = 200_000;
/** Four in five are of this workspace. */
const WORKSPACE = 'ws_1';
/** Of this one a thousand endpoints. */
const MANY = 'ws_many';
const PAGE = { limit: 50 };
/** What a page may look at and sort: a small part of what matches a filter that many things share. */
const MOST = 7_000;

const TIMES = { early: '2026-01-05T00:00:00.000Z', late: '2026-05-15T00:00:00.000Z' };
const WHEN = "timestamptz '2026-01-01T00:00:00Z' + n * interval '1 minute'";
const SERIES = `(select n, case when n % 5 > 0 then '${WORKSPACE}' else 'ws_' || 2 + n % 20 end as workspace from generate_series(1, ${ROWS}) n) r`;

/** An entry a minute; what one person did once, and what everybody does. */
async function fillAudit(db: Database): Promise<void> {
  const audit = new AuditTable(1, 'read.audit_v1');
  await audit.prepare(db);
  await db.script(`insert into read.audit_v1 (workspace, position, event_id, at, latest, action, entity_type, entity_id, actor, correlation_id,
      causation_id, revision, data, hash, previous_hash)
    select workspace, n, md5('e' || n)::uuid, ${WHEN}, ${WHEN}, 'Act' || n / 7 % 3 || '_' || n % 7, 'noun' || n % 7, 'id_' || n / 5, 'usr_' || n % 40,
      case when n % 25 = 0 then 'import' else 'c_' || n / 5 end, null, n % 5, '{}', '', null from ${SERIES};
    update read.audit_v1 set actor = 'usr_once', action = 'Once' where position = 3`);
  for (const make of audit.indexes) await db.script(make);
  await audit.publish(db);
  await db.script('analyze read.audit_v1');
}

/** Every column holds something common, and something that only few have, and those are old. */
async function fillView(db: Database, view: KeyedView): Promise<void> {
  const table = `read.${view.name}_v9`;
  const keyed = new KeyedTable(view, table);
  await keyed.prepare(db);
  await db.script(`alter table ${table} set unlogged`);
  const columns = Object.entries(view.columns).map(([, { type }], at) => {
    const value = `case when n % 400 = 7 and n < ${ROWS / 4} then 'rare' else 'common' || (n / ${3 ** at}) % 3 end`;
    switch (type) {
      case 'text':
        return value;
      case 'text[]':
        return `array[workspace || '/' || ${value}, workspace || '/other']`;
      case 'timestamptz':
        return `${WHEN} + (hashint4(n) & 65535) * interval '1 second'`;
    }
  });
  await db.script(
    `insert into ${table} select workspace, 'id_' || n, 0, ${view.isDivided ? '0, ' : ''}n, n, n % 50 = 0, '{}' ${columns.map((it) => `, ${it}`).join('')}
       from ${SERIES}`,
  );
  for (const make of keyed.indexes) await db.script(make);
  await keyed.publish(db);
  await db.script(`analyze ${table}`);
}

async function fillDeliveries(db: Database): Promise<void> {
  await db.script(`
    insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
      select case when n <= 20 then '${WORKSPACE}' else 'ws_2' end, 'whe_' || n, '{}', true, 'live', 0, 0, '[]', 1 from generate_series(1, 25) n;
    insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state)
      select overlay(delivery.id_at(${WHEN})::text placing lpad(to_hex(n), 12, '0') from 25)::uuid, 1 + n % 25, n / 25, n, gen_random_uuid(), gen_random_uuid(),
        gen_random_uuid(), case when n % 400 = 7 then 'post.rare' else 'post.common' || n / 25 % 3 end, 'k',
        case when n % 50 = 1 then 'parked' when n % 50 = 2 then 'discarded' when n % 50 = 3 then 'retrying' when n > ${ROWS} - 100 then 'queued' end
      from generate_series(1, ${ROWS}) n;
    insert into delivery.attempt (delivery_id, number, at, duration_ms, ok) select id, 1, now(), 1, true from delivery.delivery where state is null;
    analyze delivery.attempt; analyze delivery.endpoint`);
}

/** A workspace whose endpoints all get the same. */
async function fillManyEndpoints(db: Database): Promise<void> {
  await db.script(`
    insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
      select '${MANY}', 'whe_' || n, '{}', true, 'live', 0, 0, '[]', 1 from generate_series(1, 1000) n;
    insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state)
      select overlay(delivery.id_at(${WHEN})::text placing lpad(to_hex(${2 * ROWS} + 30 * e.no + n), 12, '0') from 25)::uuid, e.no, n, n, gen_random_uuid(), gen_random_uuid(),
        gen_random_uuid(), 'post.common', 'k', (array['parked', 'discarded', 'retrying', 'queued', null, null])[1 + n % 6]
      from generate_series(1, 30) n cross join delivery.endpoint e where e.workspace = '${MANY}';
    insert into delivery.attempt (delivery_id, number, at, duration_ms, ok)
      select d.id, 1, now(), 1, true from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint where e.workspace = '${MANY}' and d.state is null;
    analyze delivery.endpoint; analyze delivery.attempt`);
  await db.script('vacuum analyze delivery.delivery');
}

async function fillKeys(db: Database): Promise<void> {
  await db.script(`insert into api.key (workspace, id, name, kind, scopes, hash, created_at)
    select workspace, 'key_' || n, 'k', 'service', '{read}', md5(n::text), ${WHEN} from ${SERIES}; analyze api.key`);
}

describe('every list, by every filter', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await testDatabase();
    const fills = [
      fillAudit,
      fillDeliveries,
      fillKeys,
      ...keyedViews.map((view) => (db: Database) => fillView(db, view)),
    ];
    const lane = async (): Promise<void> => {
      for (let fill = fills.shift(); fill; fill = fills.shift()) await fill(test.db);
    };
    await Promise.all([lane(), lane()]);
    await test.db.script('vacuum analyze delivery.delivery');
    expect(await lockRows(test.db)).toBeUndefined();
  }, 600_000);
  afterAll(() => test.drop());

  /** What the statements of one list did. Those that are not to be answered get no rows. */
  async function readBy(
    list: (db: Workspaces) => Promise<unknown>,
    answers: (text: string) => boolean = () => true,
    workspace = WORKSPACE,
  ): Promise<Reading[]> {
    const asked: [string, readonly unknown[]][] = [];
    const recorder: Workspaces = {
      inWorkspace: () => ({
        query: async <Row>(text: string, params: readonly unknown[] = []) => {
          asked.push([text, params]);
          return answers(text) ? test.db.query<Row>(text, params) : [];
        },
      }),
    };
    await list(recorder);
    return (await Promise.all(asked.map(([text, params]) => readings(test.db, workspace, text, params)))).flat();
  }

  /** Rows of things have no state here that could be shown. */
  const isNotPage = (text: string): boolean => !text.includes('state, is_cut from');

  /** What is wrong with them. */
  const faultsOf = (what: string, found: readonly Reading[]): string[] =>
    found
      .filter(({ scanned, read, sorted }) => scanned.length > 0 || read > MOST || sorted > MOST)
      .map(({ read, sorted, plan }) => `${what} reads ${read} and sorts ${sorted}: ${plan}`);

  /** Every filter alone, with something common, something rare and old, and nothing; then every two. */
  const casesOf = ({ filters }: KeyedView): Record<string, string>[] => {
    const valuesOf = (name: string): string[] => {
      switch (filters[name]!.how) {
        case 'from':
          return [TIMES.late, TIMES.early];
        case 'to':
          return [TIMES.late, TIMES.early];
        default:
          return ['common0', 'rare', 'never'];
      }
    };
    const names = Object.keys(filters);
    const single = names.flatMap((name) => valuesOf(name).map((value) => ({ [name]: value })));
    const pairs = names.flatMap((one, at) =>
      names
        .slice(at + 1)
        .flatMap((other) => valuesOf(one).flatMap((a) => valuesOf(other).map((b) => ({ [one]: a, [other]: b })))),
    );
    return [{}, ...single, ...pairs];
  };

  it.each(keyedViews.map((view) => [view.name, view] as const))('%s', async (_, view) => {
    const found = await Promise.all(
      casesOf(view).map(async (filters) =>
        faultsOf(
          JSON.stringify(filters),
          await readBy((db) => new KeyedQuery(db, view).list(WORKSPACE, filters, PAGE), isNotPage),
        ),
      ),
    );
    expect(found.flat()).toEqual([]);
  });

  it('audit log', async () => {
    const values: Record<keyof AuditFilters, readonly string[]> = {
      actor: ['usr_7', 'usr_once', 'nobody'],
      action: ['Act1_2', 'Once', 'Never'],
      entityType: ['noun2', 'nothing'],
      entityId: ['id_77', 'id_none'],
      correlationId: ['c_77', 'import', 'c_none'],
      from: [TIMES.early, TIMES.late],
      to: [TIMES.early, TIMES.late],
    };
    const names = Object.keys(values) as (keyof AuditFilters)[];
    const single = names.flatMap((name) => values[name].map((value) => ({ [name]: value })));
    const pairs = names.flatMap((one, at) =>
      names
        .slice(at + 1)
        .flatMap((other) => values[one].flatMap((a) => values[other].map((b) => ({ [one]: a, [other]: b })))),
    );
    const all = Object.fromEntries(names.map((name) => [name, values[name][0]]));
    const found: string[] = [];
    for (const filters of [{}, ...single, ...pairs, all])
      for (const cursor of [undefined, cursorAt(ROWS / 2)])
        found.push(
          ...faultsOf(
            `${JSON.stringify(filters)} ${cursor}`,
            await readBy((db) => new AuditQuery(db).list(WORKSPACE, filters, { ...PAGE, cursor })),
          ),
        );
    expect(found).toEqual([]);
  });

  it('where a live stream resumes, and an endpoint begins', async () => {
    const nowhere = 'evt_00000000-0000-0000-0000-000000000000';
    const found = await readBy(async (db) => {
      const parts = {
        db: { ...db, query: async () => [] },
        store: { readAll: async () => ({ events: [], position: 0 }) },
      };
      await new EventPlaces(parts as unknown as Pick<Engines, 'db' | 'store'>)
        .find(WORKSPACE, nowhere)
        .catch(() => undefined);
    });
    expect(found).not.toEqual([]);
    expect(faultsOf('an id', found)).toEqual([]);
  });

  it('deliveries', async () => {
    const singles = [
      {},
      { endpointId: 'whe_3' },
      { type: 'post.common1' },
      { type: 'post.rare' },
      { type: 'post.never' },
      { from: TIMES.late },
      { to: TIMES.early },
      { from: TIMES.early, to: TIMES.late },
      ...DELIVERY_STATUSES.map((status) => ({ status })),
    ];
    const pairs = singles.flatMap((one, at) => singles.slice(at).map((other) => ({ ...one, ...other })));
    const found: string[] = [];
    for (const filters of pairs)
      found.push(
        ...faultsOf(
          JSON.stringify(filters),
          await readBy((db) => new DeliveriesQuery(db).list(WORKSPACE, filters, PAGE)),
        ),
      );
    expect(found).toEqual([]);
  });

  it('deliveries of a thousand endpoints', async () => {
    await fillManyEndpoints(test.db);
    const found: string[] = [];
    for (const filters of [{}, { type: 'post.common' }, ...DELIVERY_STATUSES.map((status) => ({ status }))])
      for (const { read, plan } of await readBy(
        (db) => new DeliveriesQuery(db).list(MANY, filters, PAGE),
        () => true,
        MANY,
      ))
        if (read > 10_000) found.push(`${JSON.stringify(filters)} reads ${read}: ${plan}`);
    expect(found).toEqual([]);
  });

  it('keys', async () => {
    const { nextCursor } = await listKeys(test.db, WORKSPACE, 50);
    for (const cursor of [undefined, nextCursor!])
      expect(faultsOf('keys', await readBy((db) => listKeys(db, WORKSPACE, 50, cursor)))).toEqual([]);
  });
});
