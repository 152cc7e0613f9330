import { ownReadings, testDatabase, type TestDatabase } from '#testing';
import { AuditTable } from '../audit/audit-table';
import { SubjectsQuery } from './subjects.query';

const AT = '2026-05-01T10:00:00.000Z';
const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const sealed = (subject: string): string => `{"id":"e","data":{"text":{"$sealed":"${subject}.1.${'x'.repeat(40)}"}}}`;

/** What a receiver said, for each attempt; `null`: it could not be reached; in brackets: to what was erased already. */
type Attempts = readonly (number | null | readonly [number])[];

describe('what had gone out of somebody', () => {
  let test: TestDatabase;
  let subjects: SubjectsQuery;
  let made = 0;

  beforeAll(async () => {
    test = await testDatabase();
    subjects = new SubjectsQuery(test.db);
    const audit = new AuditTable(1, 'read.audit_v1');
    await audit.prepare(test.db);
    await audit.publish(test.db);
    await test.db.script(`
      insert into delivery.endpoint (workspace, id, config, enabled, phase, position, cursor, eras, version)
        select 'ws_' || n, 'whe_' || n, '{}', true, 'live', 0, 0, '[]', 1 from generate_series(1, 2) n`);
  });
  afterAll(() => test.drop());

  /** An event that holds something of a subject, or of nobody. */
  const event = async (subject: string | null, workspace = 1): Promise<number> => {
    const n = ++made;
    await test.db.query(
      `insert into read.audit_v1 (workspace, position, event_id, at, latest, action, entity_type, entity_id, actor, correlation_id,
          causation_id, revision, data, subject, hash, previous_hash)
        values ($1, $2, $3, $4, $4, 'PostCancelled', 'post', 'pst_1', 'usr_ada', 'c', null, 0, '{}', $5, '', null)`,
      [`ws_${workspace}`, n, uuid(n), AT, subject],
    );
    return n;
  };
  /** A delivery of an event, made a moment before it by the clock of its machine; its number. */
  const delivery = async (of: number, body: string, attempts: Attempts, workspace = 1): Promise<number> => {
    const n = ++made;
    await test.db.query('insert into delivery.body (id, body) values ($1, $2)', [uuid(n), body]);
    const [row] = await test.db.query<{ id: string }>(
      `insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
        select overlay(delivery.id_at($1::timestamptz + ($2::int - 300) * interval '1 second')::text placing lpad(to_hex($2::int), 12, '0') from 25)::uuid,
          $3, $2::int, $2::int, $4, $4, $5, 'post.cancelled', 'k' returning id`,
      [AT, n, workspace, uuid(of), uuid(n)],
    );
    for (const [index, said] of attempts.entries()) {
      const erased = Array.isArray(said);
      const status = erased ? (said[0] as number) : (said as number | null);
      await test.db.query(
        `insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code, erased)
          values ($1, $2, $3::timestamptz + $4::int * interval '1 minute', 1, $5, $6, $7)`,
        [row!.id, index + 1, AT, index + 1, status !== null && status < 300, status, erased || null],
      );
    }
    return n;
  };
  const minute = (n: number): string => new Date(Date.parse(AT) + n * 60_000).toISOString();

  it('is every delivery that a receiver answered, whatever it said, with something of them in it', async () => {
    const hers = await event('usr_ada');
    const invited = await event('inv_ada');
    const [answered, again, refused, atLast, other] = [
      await delivery(hers, sealed('usr_ada'), [200]),
      await delivery(hers, sealed('usr_ada'), [500, [200]]),
      await delivery(hers, sealed('usr_ada'), [500, 500]),
      await delivery(hers, sealed('usr_ada'), [null, 204, 204]),
      await delivery(invited, sealed('inv_ada'), [200]),
    ];
    // Answered after the erasure, never answered, not tried yet, without anything of hers, of another with a like name, of another workspace.
    await delivery(hers, sealed('usr_ada'), [null, [200]]);
    await delivery(hers, sealed('usr_ada'), [null, null]);
    await delivery(hers, sealed('usr_ada'), []);
    await delivery(hers, '{"id":"e","data":{"text":"usr_ada.1.plain"}}', [200]);
    await delivery(await event('usr_ada2'), sealed('usr_ada2'), [200]);
    await delivery(await event(null), sealed('usr_ada'), [200]);
    await delivery(await event('usr_ada', 2), sealed('usr_ada'), [200], 2);

    const { data, nextCursor } = await subjects.sent('ws_1', ['usr_ada', 'inv_ada'], { limit: 50 });
    const numbers = data.map(({ deliveryId }) => Number(`0x${deliveryId.slice(-12)}`));
    expect(numbers).toEqual([other, atLast, refused, again, answered]);
    expect(nextCursor).toBeNull();
    expect(data[1]).toEqual({
      deliveryId: expect.stringMatching(/^dlv_/),
      endpointId: 'whe_1',
      eventId: `evt_${uuid(hers)}`,
      type: 'post.cancelled',
      deliveredAt: minute(2),
    });
    expect([data[2]!.deliveredAt, data[3]!.deliveredAt]).toEqual([minute(1), minute(1)]);
    expect(await subjects.events('ws_1', ['usr_ada', 'inv_ada'])).toBe(2);
    expect(await subjects.sent('ws_1', ['usr_nobody'], { limit: 50 })).toEqual({ data: [], nextCursor: null });
    expect((await subjects.sent('ws_2', ['usr_ada'], { limit: 50 })).data).toMatchObject([{ endpointId: 'whe_2' }]);
  });

  it('comes in pages, newest first, that what goes out meanwhile does not move', async () => {
    const whole = (await subjects.sent('ws_1', ['usr_ada', 'inv_ada'], { limit: 50 })).data;
    const walked: unknown[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await subjects.sent('ws_1', ['usr_ada', 'inv_ada'], { limit: 1, cursor });
      expect(page.data).toHaveLength(1);
      walked.push(...page.data);
      await delivery(1, sealed('usr_ada'), [200]);
      if (page.nextCursor === null) break;
      cursor = page.nextCursor;
    }
    expect(walked).toEqual(whole);
  });

  it('is found among many without comparing each event with each delivery, whatever the statistics say of either', async () => {
    const { db } = test;
    const MANY = 3_000;
    await db.script(`
      analyze read.audit_v1; analyze delivery.delivery; analyze delivery.attempt; analyze delivery.body;
      insert into read.audit_v1 (workspace, position, event_id, at, latest, action, entity_type, entity_id, actor, correlation_id, causation_id, revision, data,
          subject, hash, previous_hash)
        select 'ws_1', 100000 + n, md5('e' || n)::uuid, '${AT}', '${AT}', 'PostCancelled', 'post', 'pst_1', 'usr_many', 'c', null, 0, '{}', 'usr_many', '', null
        from generate_series(1, ${MANY}) n;
      insert into delivery.body select md5('b' || n)::uuid, '${sealed('usr_many')}' from generate_series(1, ${MANY}) n;
      insert into delivery.delivery (id, endpoint, sequence, position, event_id, message_id, body_id, type, key)
        select overlay(delivery.id_at('${AT}')::text placing lpad(to_hex(100000 + n), 12, '0') from 25)::uuid, 1, 100000 + n, n, md5('e' || n)::uuid, md5('e' || n)::uuid,
          md5('b' || n)::uuid, 'post.cancelled', 'k' from generate_series(1, ${MANY}) n;
      insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code)
        select id, 1, '${AT}', 1, true, 200 from delivery.delivery where sequence > 100000`);
    const asked: [string, readonly unknown[]][] = [];
    const watched = {
      query: (text: string, params: readonly unknown[]) => {
        asked.push([text, params]);
        return db.query(text, params);
      },
    } as typeof db;
    expect((await new SubjectsQuery(watched).sent('ws_1', ['usr_many'], { limit: 50 })).data).toHaveLength(50);
    for (const [text, params] of asked)
      for (const { plan } of await ownReadings(db, text, params)) {
        const most = Math.max(...plan.split('\n').map((node) => Number(node.split(' ').at(-1))));
        expect([plan, most < 10 * MANY]).toEqual([plan, true]);
      }
  });
});
