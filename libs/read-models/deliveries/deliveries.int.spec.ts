import { uuidv7 } from '#kernel';
import { testDatabase, type TestDatabase } from '#testing';
import { DeliveriesQuery, type DeliveryFilters } from './deliveries.query';
import type { DeliveryStatus } from './delivery-row';

const AT = Date.parse('2026-05-01T10:00:00.000Z');
const at = (ms: number): string => new Date(AT + ms).toISOString();
const uuid = (n: number): string => `00000000-0000-8000-8000-${String(n).padStart(12, '0')}`;

interface Made {
  readonly state?: 'queued' | 'retrying' | 'parked' | 'discarded';
  readonly reason?: string;
  readonly type?: string;
  readonly endpoint?: number;
  /** In a worker's hands. */
  readonly held?: boolean;
  /** Whether each attempt was one that succeeded. */
  readonly attempts?: readonly boolean[];
  readonly waitsIn?: 'retry' | 'queue';
}

describe('the deliveries of a workspace', () => {
  let test: TestDatabase;
  let query: DeliveriesQuery;
  const idOf = new Map<number, string>();

  beforeAll(async () => {
    test = await testDatabase();
    query = new DeliveriesQuery(test.db);
    await test.db.script(`
      insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
        select case when n < 3 then 'ws_1' else 'ws_2' end, 'whe_' || n, '{}', true, 'live', 10, 0, '[]', 1 from generate_series(1, 3) n`);
    const two = { attempts: [false, true] };
    const all: readonly Made[] = [
      { attempts: [true] },
      { state: 'queued', waitsIn: 'queue' },
      { held: true },
      { held: true, attempts: [false] },
      { held: true, attempts: [true] },
      { state: 'retrying', attempts: [false], waitsIn: 'retry' },
      { state: 'parked', attempts: [false, false], type: 'post.failed' },
      { state: 'discarded', reason: 'disabled' },
      { ...two, state: 'queued', waitsIn: 'retry' },
      { ...two, endpoint: 2 },
      { endpoint: 3, attempts: [true] },
      { endpoint: 3, held: true },
      { endpoint: 3, state: 'queued', waitsIn: 'queue' },
      { held: true, state: 'parked', attempts: [false], type: 'post.failed' },
    ];
    // The last first, so that nothing is in order by chance.
    for (const [index, one] of [...all.entries()].reverse()) await make(index + 1, one);
  });
  afterAll(() => test.drop());

  /** The `n`th delivery, in its second. */
  async function make(n: number, one: Made): Promise<void> {
    const { state, reason, type = 'post.published', endpoint = 1, held, attempts = [], waitsIn } = one;
    const { db } = test;
    const id = uuidv7(AT + n * 1_000);
    idOf.set(n, id);
    await db.query(
      `insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key, state, reason)
        values ($1, $2, $3, $3, $4, $5, $4, $6, 'k', $7, $8)`,
      [id, endpoint, n, uuid(n), uuid(100 + n), type, state ?? null, reason ?? null],
    );
    await db.query('insert into delivery.body (id, body) values ($1, $2)', [uuid(n), `{"n":${n}}`]);
    for (const [index, ok] of attempts.entries())
      await db.query(
        `insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code, stage, error, response)
          values ($1, $2, $3, 7, $4, $5, $6, $7, $8)`,
        [
          id,
          index + 1,
          at(n * 1_000 + index),
          ok,
          ...(ok ? [204, null, null, ''] : [null, 'connect', 'nobody there', null]),
        ],
      );
    if (held)
      await db.query('insert into delivery.lease (batch, worker, deliveries) values ($1, $1, array[$2::uuid, $3])', [
        uuid(200 + n),
        id,
        uuid(300),
      ]);
    if (waitsIn === 'retry')
      await db.query('insert into delivery.retry (delivery_id, endpoint, due_at, sequence) values ($1, $2, $3, $4)', [
        id,
        endpoint,
        at(n * 60_000),
        n,
      ]);
    if (waitsIn === 'queue')
      await db.query(
        "insert into delivery.queue (endpoint, sequence, key, delivery_id, due_at) values ($1, $2, 'k', $3, $4)",
        [endpoint, n, id, at(n * 60_000)],
      );
  }

  const page = async (filters: DeliveryFilters, limit = 50, cursor?: string, workspace = 'ws_1') => {
    const { data, nextCursor } = await query.list(workspace, filters, { limit, cursor });
    return { data, numbers: data.map(({ sequence }) => sequence), nextCursor };
  };
  const numbers = async (filters: DeliveryFilters) => (await page(filters)).numbers;

  const STATUS_OF: Readonly<Record<DeliveryStatus, readonly number[]>> = {
    pending: [9, 4, 3, 2],
    delivered: [10, 5, 1],
    retrying: [6],
    parked: [14, 7],
    discarded: [8],
  };

  it.each(Object.entries(STATUS_OF) as [DeliveryStatus, readonly number[]][])(
    'that are %s are those, and say so',
    async (status, expected) => {
      expect(await numbers({ status })).toEqual(expected);
      for (const n of expected)
        for (const one of [
          await query.get('ws_1', `dlv_${idOf.get(n)}`),
          await query.find('ws_1', `dlv_${idOf.get(n)}`),
        ])
          expect(one).toMatchObject({ sequence: n, status });
    },
  );

  it('are shown with when they are tried next, and why no more', async () => {
    const shown = new Map((await page({})).data.map((one) => [one.sequence, one]));
    expect(shown.get(6)).toEqual({
      id: `dlv_${idOf.get(6)}`,
      endpointId: 'whe_1',
      eventId: `evt_${uuid(6)}`,
      type: 'post.published',
      sequence: 6,
      status: 'retrying',
      createdAt: at(6_000),
      nextAttemptAt: at(360_000),
    });
    for (const n of [2, 9]) expect(shown.get(n)).toMatchObject({ nextAttemptAt: at(n * 60_000) });
    expect(shown.get(8)).toMatchObject({ reason: 'disabled' });
    for (const n of [1, 3, 7, 8]) expect(shown.get(n)).not.toHaveProperty('nextAttemptAt');
  });

  it('are filtered by endpoint, type and time, from inclusive and to exclusive, whatever else is asked', async () => {
    expect(await numbers({ endpointId: 'whe_2' })).toEqual([10]);
    expect(await numbers({ endpointId: 'whe_3' })).toEqual([]);
    expect(await numbers({ type: 'post.failed' })).toEqual([14, 7]);
    expect(await numbers({ from: at(4_000), to: at(7_000) })).toEqual([6, 5, 4]);
    expect(await numbers({ status: 'pending', from: at(3_000), to: at(9_000) })).toEqual([4, 3]);
    expect(await numbers({ status: 'pending', endpointId: 'whe_2' })).toEqual([]);
    expect(await numbers({ status: 'delivered', from: at(2_000), to: at(10_000) })).toEqual([5]);
    expect(await numbers({ status: 'parked', type: 'post.published' })).toEqual([]);
  });

  it.each([undefined, 'pending', 'delivered'] as const)(
    'come in pages, newest first, without a gap or a double (%s)',
    async (status) => {
      const whole = await numbers({ status });
      const walked: number[] = [];
      for (let cursor: string | null | undefined; cursor !== null && walked.length <= whole.length;) {
        const one = await page({ status }, 2, cursor);
        expect(one.numbers.length).toBeGreaterThan(0);
        walked.push(...one.numbers);
        cursor = one.nextCursor;
      }
      expect(walked).toEqual(whole);
      expect(whole).toEqual([...whole].sort((one, other) => other - one));
    },
  );

  it('are begun by no cursor that another list gave', async () => {
    const id = idOf.get(3)!;
    for (const text of [`e${id}`, id, `d${id.toUpperCase()}`, `d${id} `, 'p7'])
      await expect(page({}, 2, Buffer.from(text).toString('base64url'))).rejects.toMatchObject({
        code: 'VALIDATION_FAILED',
      });
  });

  it('are nobody else’s', async () => {
    expect((await page({}, 50, undefined, 'ws_2')).numbers).toEqual([13, 12, 11]);
    expect((await page({ status: 'pending' }, 50, undefined, 'ws_2')).numbers).toEqual([13, 12]);
    for (const found of [query.get('ws_2', `dlv_${idOf.get(1)}`), query.find('ws_2', `dlv_${idOf.get(1)}`)])
      expect(await found).toBeUndefined();
    expect(await query.feed('ws_2', 'whe_1', { after: 0, limit: 5 })).toBeUndefined();
  });

  it('are told whole, with every attempt in order', async () => {
    expect(await query.get('ws_1', `dlv_${idOf.get(10)}`)).toMatchObject({
      body: '{"n":10}',
      attempts: [
        { number: 1, at: at(10_000), durationMs: 7, error: 'connect: nobody there' },
        { number: 2, at: at(10_001), durationMs: 7, statusCode: 204, response: '' },
      ],
    });
    expect(await query.get('ws_1', `dlv_${idOf.get(3)}`)).toMatchObject({ body: '{"n":3}', attempts: [] });
    for (const id of [idOf.get(3)!, `dlv_${uuid(1)}`, 'dlv_chosen'])
      expect([await query.get('ws_1', id), await query.find('ws_1', id)]).toEqual([undefined, undefined]);
  });

  it('are told with the answers to the newest hundred of thousands of attempts', async () => {
    const id = idOf.get(11)!;
    await test.db.query(
      `insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code, response)
        select $1, 1 + n, now() + n * interval '1 second', 7, true, 204, 'answer ' || n from generate_series(1, 2000) n`,
      [id],
    );
    const { attempts } = (await query.get('ws_2', `dlv_${id}`))!;
    expect(attempts).toHaveLength(2_001);
    expect(attempts.flatMap(({ response }) => response ?? [])).toEqual(
      Array.from({ length: 100 }, (_, n) => `answer ${1_901 + n}`),
    );
  });

  it('are pulled in the order of their numbers', async () => {
    const feed = await query.feed('ws_1', 'whe_1', { after: 6, limit: 2 });
    expect(feed).toEqual({
      data: [7, 8].map((n) => ({
        sequence: n,
        id: `evt_${uuid(100 + n)}`,
        type: n === 7 ? 'post.failed' : 'post.published',
        createdAt: at(n * 1_000),
        body: `{"n":${n}}`,
      })),
      nextCursor: '8',
    });
    const rest = await query.feed('ws_1', 'whe_1', { after: 8, limit: 2 });
    expect([rest!.data.map(({ sequence }) => sequence), rest!.nextCursor]).toEqual([[9, 14], null]);
  });

  it('are pulled no more at once than may be in memory, however large their bodies are', async () => {
    const [endpoint] = await test.db.query<{ no: number }>(
      `insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
        values ('ws_3', 'whe_4', '{}', true, 'live', 10, 0, '[]', 1) returning no`,
    );
    for (let n = 101; n <= 130; n++) await make(n, { endpoint: endpoint!.no, attempts: [true] });
    await test.db.query(
      `update delivery.body b set body = '"' || repeat('x', 400000) || '"' from delivery.delivery d where d.body_id = b.id and d.endpoint = $1`,
      [endpoint!.no],
    );
    const first = await query.feed('ws_3', 'whe_4', { after: 0, limit: 200 });
    const second = await query.feed('ws_3', 'whe_4', { after: Number(first!.nextCursor), limit: 200 });
    expect([first!.data.length, second!.data.length, second!.nextCursor]).toEqual([20, 10, null]);
    const numbers = [...first!.data, ...second!.data].map(({ sequence }) => sequence);
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
  });

  it('are delivered by what the log says of their endpoint up to a position', async () => {
    const known = [9, 10, 11].map((position) => query.knows('ws_1', 'whe_1', position));
    expect(await Promise.all(known)).toEqual([true, true, false]);
    expect(await query.knows('ws_2', 'whe_1', 1)).toBe(false);
  });

  it('are replayed by jobs that say how far they are, and why they failed', async () => {
    await test.db.query(
      `insert into delivery.job (id, workspace, endpoint, since, until, status, total, done, error)
        values ('job_1', 'ws_1', 1, now(), now(), 'running', 7, 3, null), ('job_2', 'ws_1', 1, now(), now(), 'failed', 7, 3, 'closed')`,
    );
    const running = { id: 'job_1', endpointId: 'whe_1', status: 'running', total: 7, done: 3 };
    expect(await query.job('ws_1', 'job_1')).toEqual(running);
    expect(await query.job('ws_1', 'job_2')).toEqual({ ...running, id: 'job_2', status: 'failed', error: 'closed' });
    expect(await query.job('ws_2', 'job_1')).toBeUndefined();
  });
});
