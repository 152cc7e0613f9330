import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, EmbeddedServer, migrate } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { Ledger, numbered, roundRobin } from '../conformance/ledger';
import { PARTITIONS, partitionOf, writeOutbox } from '../outbox/outbox';
import { deadLetters, park } from './dead-letters';
import { BEGINNING, fetchNext } from './fetch';
import { GroupMember } from './group-member';
import { PostgresBus } from './postgres-bus';
import { PoisonMessageError } from '../port/bus';

const TOPIC = 'test.v1';
const KEYS = Array.from({ length: 40 }, (_, i) => `pst_${i}`);
const newGroup = () => `group-${randomUUID()}`;

describe('the bus on PostgreSQL, in trouble', () => {
  let test: TestDatabase;
  let bus: PostgresBus;
  beforeAll(async () => {
    test = await testDatabase();
    // It beats so seldom that what it hears of, it was told.
    bus = new PostgresBus(test.db, { leaseMs: 180_000, heartbeatMs: 60_000 });
  });
  afterEach(() => jest.restoreAllMocks());
  afterAll(async () => {
    await bus.close();
    await test.drop();
  });

  it('forgets what a rolled back transaction wrote, and leaves no gap', async () => {
    const failing = test.db.tx(async (sql) => {
      await writeOutbox(sql, roundRobin(TOPIC, KEYS, 10));
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const first = await test.db.tx((sql) => writeOutbox(sql, [numbered(TOPIC, 'a', 1)]));
    const second = await test.db.tx((sql) => writeOutbox(sql, roundRobin(TOPIC, KEYS, 3)));
    expect(second.last).toBe(first.last + 3);
  });

  it('hears of a transaction that nobody announced', async () => {
    const ledger = new Ledger();
    const subscription = await bus.subscribe({
      group: newGroup(),
      topics: [TOPIC],
      from: 'latest',
      onBatch: ledger.handle,
    });
    await test.db.tx((sql) => writeOutbox(sql, [numbered(TOPIC, 'quiet', 1)]), { lazy: true });
    await eventually(() => expect(ledger.ids).toEqual(['evt_quiet_1']));
    await subscription.close();
  });

  it('hands what it has just published to its own consumers without reading it back', async () => {
    const ledger = new Ledger();
    const subscription = await bus.subscribe({
      group: newGroup(),
      topics: [TOPIC],
      from: 'latest',
      onBatch: ledger.handle,
    });
    await bus.publish([numbered(TOPIC, 'first', 1)]);
    await eventually(() => expect(ledger.ids).toEqual(['evt_first_1']));
    const asked = jest.spyOn(test.db, 'query');
    await bus.publish(roundRobin(TOPIC, KEYS, 100));
    await eventually(() => expect(ledger.ids).toHaveLength(101));
    expect(asked.mock.calls.filter(([text]) => text.includes('from bus.message'))).toEqual([]);
    asked.mockRestore();
    expect(ledger.disorder()).toEqual([]);
    await subscription.close();
  });

  it('skips nothing of what others publish, time and again, while a batch is in hand', async () => {
    const elsewhere = new Database(test.url, { max: 1 });
    const publish = (n: number) => writeOutbox(elsewhere, [numbered(TOPIC, 'busy', n)]);
    const heard: number[] = [];
    const stop = test.db.listen('bus_published', (position) => heard.push(Number(position)));
    const ledger = new Ledger();
    let goOn: (() => void) | undefined;
    const subscription = await bus.subscribe({
      group: newGroup(),
      topics: [TOPIC],
      from: 'latest',
      onBatch: async (messages) => {
        if (ledger.ids.length === 0) await new Promise<void>((go) => (goOn = go));
        await ledger.handle(messages);
      },
    });
    await publish(1);
    await eventually(() => expect(goOn).toBeDefined());
    const looks = jest.spyOn(test.db, 'query');
    for (let n = 2; n <= 5; n++) {
      const { last } = await publish(n);
      await eventually(() => expect(heard).toContain(last));
      await Promise.all(looks.mock.results.map(({ value }) => value as Promise<unknown>));
    }
    looks.mockRestore();
    goOn!();
    await eventually(() => expect(ledger.ids).toEqual([1, 2, 3, 4, 5].map((n) => `evt_busy_${n}`)), { within: 5_000 });
    await subscription.close();
    stop();
    await elsewhere.end();
  });

  it('skips nothing of a day that is made while a look at the bus is being planned', async () => {
    const { db, drop } = await testDatabase();
    const own = new PostgresBus(db, { leaseMs: 180_000, heartbeatMs: 60_000 });
    const ledger = new Ledger();
    const subscription = await own.subscribe({ group: newGroup(), topics: [TOPIC], onBatch: ledger.handle });
    const publish = (n: number) => db.tx((sql) => writeOutbox(sql, [numbered(TOPIC, 'a', n)]));
    await publish(1);
    await eventually(() => expect(ledger.ids).toEqual(['evt_a_1']));
    const [{ last }] = (await db.query(
      "select max(inhrelid::regclass::text) as last from pg_inherits where inhparent = 'bus.message'::regclass",
    )) as [{ last: string }];
    await db.tx(async (sql) => {
      await sql.script(`lock table ${last} in access exclusive mode`);
      await publish(2);
      await eventually(async () =>
        expect(
          await db.query("select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%lateral%'"),
        ).toHaveLength(1),
      );
      // As after days in which nothing ran: whoever publishes makes the day.
      await db.script("update bus.head set at = at + interval '5 days'");
      await publish(3);
    });
    await eventually(() => expect(ledger.ids).toEqual(['evt_a_1', 'evt_a_2', 'evt_a_3']), { within: 5_000 });
    await subscription.close();
    await own.close();
    await drop();
  });

  it('passes by no message that it cannot see yet, however long that takes', async () => {
    const { db, drop } = await testDatabase();
    const own = new PostgresBus(db, { leaseMs: 180_000, heartbeatMs: 60_000 });
    const ledger = new Ledger();
    const subscription = await own.subscribe({ group: newGroup(), topics: [TOPIC], onBatch: ledger.handle });
    const looks = jest.spyOn(db, 'query');
    // As when the backend of a publisher that made the day is held up before it tells the others of it.
    await db.tx(async (sql) => {
      await sql.script(
        "update bus.head set position = position + 1, at = clock_timestamp(); notify bus_published, '1'",
      );
    });
    await eventually(() =>
      expect(looks.mock.calls.filter(([text]) => text.includes('from bus.message')).length).toBeGreaterThan(5),
    );
    const { topic, key, id, type, headers, value } = numbered(TOPIC, 'a', 1);
    await db.query('insert into bus.message select position, at, $1, $2, $3, $4, $5, $6, $7 from bus.head', [
      partitionOf({ key, headers }),
      topic,
      key,
      id,
      type,
      JSON.stringify(headers),
      value,
    ]);
    await eventually(() => expect(ledger.ids).toEqual(['evt_a_1']), { within: 5_000 });
    looks.mockRestore();
    await subscription.close();
    await own.close();
    await drop();
  });

  it('skips nothing that is published after the clock was set back', async () => {
    const { db, drop } = await testDatabase();
    await db.script("update bus.head set at = clock_timestamp() + interval '1 hour'");
    const own = new PostgresBus(db, { leaseMs: 180_000, heartbeatMs: 60_000 });
    const ledger = new Ledger();
    await own.subscribe({ group: newGroup(), topics: [TOPIC], onBatch: ledger.handle });
    for (const n of [1, 2, 3]) {
      await db.tx((sql) => writeOutbox(sql, [numbered(TOPIC, 'a', n)]));
      await eventually(() => expect(ledger.ids).toHaveLength(n));
    }
    await own.close();
    await drop();
  });

  it('goes by what was dropped before it was read', async () => {
    const { db, drop } = await testDatabase();
    await db.tx((sql) => writeOutbox(sql, roundRobin(TOPIC, KEYS, 3)));
    await db.query("select bus.maintain(now() + interval '40 days', now() + interval '40 days')");
    const claim = { partition: 0, epoch: 1, cursor: 0, done: 0, committed: 0, lost: false };
    const fetched = await fetchNext(db, new Map([[0, claim]]), [TOPIC], 10, BEGINNING);
    expect(fetched).toMatchObject({ messages: [], through: fetched.head, isBlind: false });
    expect(fetched.head).toBeGreaterThan(0);
    await drop();
  });

  it('leaves out no day for a partition that is behind what was read for others', async () => {
    const { db, drop } = await testDatabase();
    const message = numbered(TOPIC, 'a', 1);
    const { last: position } = await db.tx((sql) => writeOutbox(sql, [message]));
    const partition = partitionOf(message);
    const claim = { partition, epoch: 1, cursor: 0, done: 0, committed: 0, lost: false };
    const mark = { position, at: new Date(Date.now() + 48 * 3_600_000).toISOString() };
    const { messages } = await fetchNext(db, new Map([[partition, claim]]), [TOPIC], 10, mark);
    expect(messages.map(({ id }) => id)).toEqual(['evt_a_1']);
    await drop();
  });

  it('hands over once what lies further away than one look goes', async () => {
    const { db, drop } = await testDatabase();
    const own = new PostgresBus(db, { leaseMs: 180_000, heartbeatMs: 60_000 });
    const publish = (n: number) => db.tx((sql) => writeOutbox(sql, [numbered('test.rare.v1', 'rare', n)]));
    await publish(1);
    await db.tx((sql) => writeOutbox(sql, roundRobin(TOPIC, KEYS, 2_500)));
    await publish(2);
    const ledger = new Ledger();
    const subscription = await own.subscribe({
      group: newGroup(),
      topics: ['test.rare.v1'],
      onBatch: ledger.handle,
    });
    await eventually(async () => expect(await subscription.lag()).toBe(0));
    expect(ledger.ids).toEqual(['evt_rare_1', 'evt_rare_2']);
    await own.close();
    await drop();
  });

  it('begins a new group behind what was dropped', async () => {
    const { db, drop } = await testDatabase();
    await db.script('update bus.head set position = 1000000, dropped = 1000000');
    const own = new PostgresBus(db);
    await own.publish([numbered(TOPIC, 'a', 1)]);
    const looks = jest.spyOn(db, 'query');
    const ledger = new Ledger();
    await own.subscribe({ group: newGroup(), topics: [TOPIC], onBatch: ledger.handle });
    await eventually(() => expect(ledger.ids).toEqual(['evt_a_1']));
    expect(looks.mock.calls.filter(([text]) => text.includes('from bus.message')).length).toBeLessThan(5);
    looks.mockRestore();
    await own.close();
    await drop();
  });

  it('fences a member whose partitions another has taken: its offsets move neither back nor forward', async () => {
    const group = newGroup();
    const frozen = new GroupMember(test.db, group, 500, () => undefined);
    await frozen.join('earliest');
    await frozen.rebalance();
    const claims = [...frozen.claims.values()];
    expect(claims).toHaveLength(PARTITIONS);
    const heir = new GroupMember(test.db, group, 60_000, () => undefined);
    await eventually(async () => {
      await heir.join('earliest');
      await heir.rebalance();
      expect(heir.claims.size).toBe(PARTITIONS);
    });
    for (const claim of heir.claims.values()) claim.done = 7;
    await heir.commit([...heir.claims.values()]);
    for (const claim of claims) claim.done = 1_000_000;
    await frozen.commit(claims);
    expect(claims.every(({ lost }) => lost)).toBe(true);
    const rows = await test.db.query('select distinct position from bus.group_offset where group_name = $1', [group]);
    expect(rows).toEqual([{ position: 7 }]);
    await heir.leave();
  });

  it('owns its partitions for longer with each beat', async () => {
    const group = newGroup();
    const member = new GroupMember(test.db, group, 60_000, () => undefined);
    await member.join('earliest');
    const until = async () => {
      const [row] = await test.db.query<{ at: number }>(
        'select extract(epoch from lease_until)::float as at from bus.group_member where group_name = $1',
        [group],
      );
      return row!.at;
    };
    const before = await until();
    await member.heartbeat();
    expect(await until()).toBeGreaterThan(before);
    await member.leave();
  });

  it('stops handing over when it could not renew its lease in time', async () => {
    const member = new GroupMember(test.db, newGroup(), 250, () => undefined);
    await member.join('earliest');
    await member.rebalance();
    await eventually(() => {
      member.checkLease();
      expect(member.claims.size).toBe(0);
    });
    await member.heartbeat();
    expect(member.claims.size).toBe(PARTITIONS);
    await member.leave();
  });

  it('counts its lease from the moment in which it asked for it, however late the answer', async () => {
    let now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    let late = 0;
    const db = Object.assign(Object.create(test.db) as Database, {
      query: async (text: string, params: unknown[]) => {
        const rows = await test.db.query(text, params);
        now += late;
        return rows;
      },
    });
    const member = new GroupMember(db, newGroup(), 60_000, () => undefined);
    await member.join('earliest');
    await member.rebalance();
    late = 60_001;
    await member.heartbeat();
    expect(member.claims.size).toBe(PARTITIONS);
    member.checkLease();
    expect(member.claims.size).toBe(0);
    await member.leave();
  });

  it('takes what is free also when its lease has ended before the answer to its beat', async () => {
    const member = new GroupMember(test.db, newGroup(), -1_000, () => undefined);
    await member.join('earliest');
    await member.rebalance();
    expect(member.claims.size).toBe(PARTITIONS);
    await member.leave();
  });

  it('does not go on asking for what others have taken in between', async () => {
    const group = newGroup();
    const [one, other] = [1, 2].map(() => new GroupMember(test.db, group, 60_000, () => undefined)) as [
      GroupMember,
      GroupMember,
    ];
    await one.join('earliest');
    await other.join('earliest');
    await other.rebalance();
    expect(one.isUnbalanced()).toBe(true);
    await one.rebalance();
    expect([one.claims.size, other.claims.size]).toEqual([PARTITIONS / 2, PARTITIONS / 2]);
    expect(one.isUnbalanced()).toBe(false);
    await one.leave();
    await other.leave();
  });

  it('takes partitions anew that may have been of another, when its lease has ended before it takes more', async () => {
    const group = newGroup();
    const [late, guest] = [200, 60_000].map((leaseMs) => new GroupMember(test.db, group, leaseMs, () => undefined)) as [
      GroupMember,
      GroupMember,
    ];
    await guest.join('earliest');
    await late.join('earliest');
    await late.rebalance();
    const former = [...late.claims.values()];
    expect(former).toHaveLength(PARTITIONS / 2);
    await guest.leave();
    await late.heartbeat();
    await eventually(async () => {
      const [{ ended }] = (await test.db.query(
        'select lease_until < clock_timestamp() as ended from bus.group_member where group_name = $1',
        [group],
      )) as [{ ended: boolean }];
      return ended;
    });
    await late.rebalance();
    expect(former.every(({ lost }) => lost)).toBe(true);
    expect(former.some((claim) => [...late.claims.values()].includes(claim))).toBe(false);
    await late.leave();
  });

  it('shares twelve partitions among any number of members, each one with one owner, and forgets who died long ago', async () => {
    const group = newGroup();
    const members = Array.from({ length: 5 }, () => new GroupMember(test.db, group, 60_000, () => undefined));
    await test.db.query(
      "insert into bus.group_member (group_name, member, lease_until) values ($1, gen_random_uuid(), now() - interval '1 hour')",
      [group],
    );
    for (const member of members) await member.join('earliest');
    const settle = async (of: readonly GroupMember[]) => {
      for (let round = 0; round < 3; round++) {
        for (const member of of) {
          await member.heartbeat();
          if (member.isUnbalanced()) await member.rebalance();
        }
      }
      return of.map(({ claims }) => claims.size).sort();
    };
    expect(await settle(members)).toEqual([2, 2, 2, 3, 3]);
    expect(new Set(members.flatMap(({ claims }) => [...claims.keys()])).size).toBe(PARTITIONS);
    const known = await test.db.query<{ member: string }>('select member from bus.group_member where group_name = $1', [
      group,
    ]);
    expect(known.map(({ member }) => member).toSorted()).toEqual(members.map(({ id }) => id).toSorted());
    await members[0]!.leave();
    expect(await settle(members.slice(1))).toEqual([3, 3, 3, 3]);
    for (const member of members.slice(1)) await member.leave();
  });

  it('takes over from who died before the clock was set back when its lease would have ended, and not from who lives', async () => {
    const group = newGroup();
    const [living, dead, heir] = [60_000, 60_000, 200].map(
      (leaseMs) => new GroupMember(test.db, group, leaseMs, () => undefined),
    ) as [GroupMember, GroupMember, GroupMember];
    for (const member of [living, dead]) await member.join('earliest');
    for (const member of [living, dead]) await member.heartbeat();
    for (const member of [living, dead]) await member.rebalance();
    expect([living.claims.size, dead.claims.size]).toEqual([PARTITIONS / 2, PARTITIONS / 2]);
    await test.db.query(
      "update bus.group_member set lease_until = lease_until + interval '1 hour' where group_name = $1",
      [group],
    );
    await heir.join('earliest');
    await living.heartbeat();
    expect(living.claims.size).toBe(PARTITIONS / 2);
    await eventually(async () => {
      await heir.heartbeat();
      await heir.rebalance();
      expect(heir.claims.size).toBe(PARTITIONS / 2);
    });
    await living.heartbeat();
    expect(living.claims.size).toBe(PARTITIONS / 2);
    for (const member of [heir, living]) await member.leave();
  });

  it('keeps a parked message with its reason', async () => {
    const group = newGroup();
    const subscription = await bus.subscribe({
      group,
      topics: ['test.poison.v1'],
      onBatch: async ([first]) => {
        throw new PoisonMessageError(first!, 'unreadable');
      },
    });
    await bus.publish([numbered('test.poison.v1', 'pst_1', 1)]);
    await eventually(async () =>
      expect(await deadLetters(test.db, group)).toEqual([
        expect.objectContaining({ id: 'evt_pst_1_1', topic: 'test.poison.v1', key: 'pst_1', reason: 'unreadable' }),
      ]),
    );
    await subscription.close();
  });

  it('has no member of a subscription that could not be made', async () => {
    const group = newGroup();
    let [isAway, beats] = [true, 0];
    const db = Object.assign(Object.create(test.db) as Database, {
      query: async (text: string, params: unknown[]) => {
        if (isAway) throw new Error('away');
        const rows = await test.db.query(text, params);
        if (text.includes('bus.heartbeat')) beats++;
        return rows;
      },
    });
    const own = new PostgresBus(db, { leaseMs: 180_000, heartbeatMs: 60_000 });
    const subscribe = () => own.subscribe({ group, topics: [TOPIC], onBatch: async () => undefined });
    await expect(subscribe()).rejects.toThrow('away');
    isAway = false;
    await subscribe();
    await eventually(async () => {
      await test.db.notify('bus_rebalance', group);
      expect(beats).toBeGreaterThan(3);
    });
    expect(await test.db.query('select from bus.group_member where group_name = $1', [group])).toHaveLength(1);
    await own.close();
  });

  it('has no member of a subscription that was closed while it was made', async () => {
    const group = newGroup();
    const own = new PostgresBus(test.db, { leaseMs: 180_000, heartbeatMs: 60_000 });
    const subscribed = own.subscribe({ group, topics: [TOPIC], onBatch: async () => undefined });
    await own.close();
    await subscribed;
    expect(await test.db.query('select from bus.group_member where group_name = $1', [group])).toEqual([]);
  });

  it('keeps nothing for a group of passers-by once the last of them has gone, and remembers where others stand', async () => {
    const [passing, staying] = [newGroup(), newGroup()];
    const join = (group: string, isPassing: boolean) =>
      bus.subscribe({ group, topics: [TOPIC], from: 'latest', isPassing, onBatch: async () => undefined });
    const [first, last, other] = [await join(passing, true), await join(passing, true), await join(staying, false)];
    const places = async (group: string) =>
      (await test.db.query('select from bus.group_offset where group_name = $1', [group])).length;
    await Promise.all([first.close(), other.close()]);
    expect([await places(passing), await places(staying)]).toEqual([PARTITIONS, PARTITIONS]);
    await last.close();
    expect([await places(passing), await places(staying)]).toEqual([0, PARTITIONS]);
  });

  it('keeps once what is parked again, as after a crash before its offset was committed', async () => {
    const group = newGroup();
    const message = { ...numbered(TOPIC, 'pst_1', 1), partition: 0, offset: 1 };
    for (const reason of ['at first', 'again']) await park(test.db, group, message, reason);
    await park(test.db, newGroup(), message, 'by another group');
    expect(await deadLetters(test.db, group)).toMatchObject([{ id: message.id, reason: 'at first' }]);
  });

  it('parks nothing that is not in the batch, and hands the batch over again', async () => {
    const [group, topic] = [newGroup(), 'test.foreign.v1'];
    const ledger = new Ledger();
    const faults: string[] = [];
    const subscription = await bus.subscribe({
      group,
      topics: [topic],
      onBatch: async (messages) => {
        if (faults.length === 0) throw new PoisonMessageError({ ...messages[0]!, id: 'evt_elsewhere' }, 'unreadable');
        await ledger.handle(messages);
      },
      onFault: ({ message }) => faults.push(message),
    });
    await bus.publish([1, 2].map((n) => numbered(topic, 'a', n)));
    await eventually(() => expect(ledger.ids).toEqual(['evt_a_1', 'evt_a_2']));
    expect(faults.join()).toContain('unreadable');
    expect(await deadLetters(test.db, group)).toEqual([]);
    await subscription.close();
  });

  it('hands a batch over again of which it could not park a message', async () => {
    const [group, topic] = [newGroup(), 'test.unparked.v1'];
    const ledger = new Ledger();
    const faults: string[] = [];
    await test.db.script('alter table bus.dead_letter rename to away');
    const subscription = await bus.subscribe({
      group,
      topics: [topic],
      onBatch: async (messages) => {
        const poison = messages.find(({ id }) => id === 'evt_a_1');
        if (poison) throw new PoisonMessageError(poison, 'unreadable');
        await ledger.handle(messages);
      },
      onFault: ({ message }) => faults.push(message),
    });
    await bus.publish([1, 2].map((n) => numbered(topic, 'a', n)));
    await eventually(() => expect(faults.join()).toContain('dead_letter'));
    await test.db.script('alter table bus.away rename to dead_letter');
    await bus.publish([numbered(topic, 'a', 3)]);
    await eventually(() => expect(ledger.ids).toEqual(['evt_a_2', 'evt_a_3']));
    expect(await deadLetters(test.db, group)).toMatchObject([{ id: 'evt_a_1' }]);
    await subscription.close();
  });

  it('hands a refused batch over again when it could not give up partitions in between', async () => {
    const [group, topic] = [newGroup(), 'test.refused.v1'];
    const ledger = new Ledger();
    const faults: string[] = [];
    let isOpen = false;
    const subscription = await bus.subscribe({
      group,
      topics: [topic],
      onBatch: async (messages) => {
        if (!isOpen) throw new Error('not now');
        await ledger.handle(messages);
      },
      onFault: ({ message }) => faults.push(message),
    });
    const published = roundRobin(topic, KEYS, 40);
    await bus.publish(published);
    await eventually(() => expect(faults).toContain('not now'));
    await test.db.script('alter function bus.commit_offsets rename to away');
    const guest = new GroupMember(test.db, group, 60_000, () => undefined);
    await guest.join('earliest');
    await eventually(() => expect(faults.join()).toContain('commit_offsets'));
    await test.db.script('alter function bus.away rename to commit_offsets');
    await guest.leave();
    isOpen = true;
    await bus.publish([numbered(topic, 'last', 1)]);
    await eventually(() => expect(ledger.ids).toContain('evt_last_1'));
    await eventually(() => expect(ledger.missing(published)).toEqual([]), { within: 5_000 });
    expect(ledger.disorder()).toEqual([]);
    await subscription.close();
  });

  it('hands nothing over once it is told to close, nor what is on its way to it', async () => {
    const [group, topic] = [newGroup(), 'test.closing.v1'];
    const ledger = new Ledger();
    await bus.publish([numbered(topic, 'a', 1)]);
    let answer: (() => void) | undefined;
    const query = test.db.query.bind(test.db);
    const looks = jest.spyOn(test.db, 'query').mockImplementation(async (text, params) => {
      const rows = await query(text, params);
      if (text.includes('from bus.message')) await new Promise<void>((go) => (answer = go));
      return rows as never;
    });
    const subscription = await bus.subscribe({ group, topics: [topic], onBatch: ledger.handle });
    await eventually(() => expect(answer).toBeDefined());
    looks.mockRestore();
    const closed = subscription.close();
    answer!();
    await closed;
    expect(ledger.ids).toEqual([]);
    const next = await bus.subscribe({ group, topics: [topic], onBatch: ledger.handle });
    await eventually(() => expect(ledger.ids).toEqual(['evt_a_1']));
    await next.close();
  });

  it('goes by messages of other topics without reading them again', async () => {
    const group = newGroup();
    const ledger = new Ledger();
    const subscription = await bus.subscribe({ group, topics: ['test.rare.v1'], onBatch: ledger.handle });
    await bus.publish(roundRobin(TOPIC, KEYS, 2_000));
    await bus.publish([numbered('test.rare.v1', 'rare', 1)]);
    await eventually(() => expect(ledger.ids).toEqual(['evt_rare_1']));
    await eventually(async () => expect(await subscription.lag()).toBe(0));
    await subscription.close();
    const rows = await test.db.query<{ least: number; head: number }>(
      'select min(o.position) as least, h.position as head from bus.group_offset o, bus.head h where group_name = $1 group by h.position',
      [group],
    );
    expect(rows[0]!.least).toBe(rows[0]!.head);
  });
});

describe('a subscription to the bus on PostgreSQL', () => {
  let test: TestDatabase;
  let bus: PostgresBus;
  beforeAll(async () => (test = await testDatabase()));
  afterEach(() => bus.close());
  afterAll(() => test.drop());

  const beating = (pace: { leaseMs?: number; heartbeatMs?: number } = {}) =>
    (bus = new PostgresBus(test.db, { leaseMs: 60_000, heartbeatMs: 20, ...pace }));

  it('finds what it was not told of when it beats', async () => {
    const ledger = new Ledger();
    await beating().subscribe({ group: newGroup(), topics: ['untold.v1'], from: 'latest', onBatch: ledger.handle });
    await bus.publish([numbered('untold.v1', 'a', 1)]);
    await eventually(() => expect(ledger.ids).toEqual(['evt_a_1']));
    await test.db.query(
      `with head as (update bus.head set position = position + 1 returning position, at)
       insert into bus.message select h.position, h.at, m.partition, m.topic, m.key, 'evt_a_2', m.type, m.headers, m.value
       from head h, bus.message m where m.topic = 'untold.v1'`,
    );
    await eventually(() => expect(ledger.ids).toEqual(['evt_a_1', 'evt_a_2']));
  });

  it('tells the batch in hand that its lease could not be renewed in time, and hands it over again when it can be', async () => {
    let told: boolean | undefined;
    const ledger = new Ledger();
    await beating({ leaseMs: 200 }).subscribe({
      group: newGroup(),
      topics: ['leased.v1'],
      onBatch: async (messages, signal) => {
        if (told) return ledger.handle(messages);
        told = false;
        await new Promise((aborted) => signal.addEventListener('abort', aborted));
        told = true;
      },
    });
    await bus.publish([numbered('leased.v1', 'a', 1)]);
    await eventually(() => expect(told).toBeDefined());
    await test.db.script('alter function bus.heartbeat rename to away');
    await eventually(() => expect(told).toBe(true)).finally(() =>
      test.db.script('alter function bus.away rename to heartbeat'),
    );
    await eventually(() => expect(ledger.ids).toContain('evt_a_1'));
  });

  it('hands nothing over that may have become of another while it was on its way', async () => {
    const [group, topic] = [newGroup(), 'late.v1'];
    beating({ leaseMs: 1_000, heartbeatMs: 60_000 });
    await bus.publish([numbered(topic, 'a', 1)]);
    let answer: (() => void) | undefined;
    let beats = 0;
    const query = test.db.query.bind(test.db);
    const asked = jest.spyOn(test.db, 'query').mockImplementation(async (text, params) => {
      if (text.includes('bus.heartbeat')) beats++;
      const rows = await query(text, params);
      if (text.includes('from bus.message') && !answer) await new Promise<void>((go) => (answer = go));
      return rows as never;
    });
    const beatsBefore: number[] = [];
    await bus.subscribe({ group, topics: [topic], onBatch: async () => void beatsBefore.push(beats) });
    await eventually(() => expect(answer).toBeDefined());
    await eventually(async () => {
      const [lease] = await query<{ ended: boolean }>(
        'select lease_until < clock_timestamp() as ended from bus.group_member where group_name = $1',
        [group],
      );
      return lease!.ended;
    });
    beats = 0;
    answer!();
    await eventually(async () => {
      await test.db.notify('bus_rebalance', group);
      expect(beatsBefore.length).toBeGreaterThan(0);
    });
    expect(beatsBefore[0]).toBeGreaterThan(0);
    asked.mockRestore();
  });

  it('tells how far it has come also where nothing was for it', async () => {
    const group = newGroup();
    await beating().subscribe({ group, topics: ['nothing.v1'], onBatch: async () => undefined });
    for (let n = 0; n < 6; n++) await bus.publish(roundRobin('others.v1', KEYS, 1_000));
    await eventually(async () => {
      const [{ least }] = (await test.db.query(
        'select min(position) as least from bus.group_offset where group_name = $1',
        [group],
      )) as [{ least: number }];
      expect(least).toBeGreaterThan(5_000);
    });
  });

  it('beats at once for those that came meanwhile, and then no more often than it should', async () => {
    const group = newGroup();
    const beats = jest.spyOn(test.db, 'query');
    const ledger = new Ledger();
    await beating({ heartbeatMs: 60_000 }).subscribe({ group, topics: ['calm.v1'], onBatch: ledger.handle });
    const count = () => beats.mock.calls.filter(([text]) => text.includes('bus.heartbeat')).length;
    const before = count();
    await Promise.all(Array.from({ length: 8 }, () => test.db.notify('bus_rebalance', group)));
    await eventually(() => expect(count()).toBeGreaterThan(before + 1));
    for (let n = 1; n <= 20; n++) {
      await bus.publish([numbered('calm.v1', 'a', n)]);
      await eventually(() => expect(ledger.ids).toHaveLength(n));
    }
    expect(count()).toBeLessThan(before + 12);
    beats.mockRestore();
  });
});

describe('the bus on a PostgreSQL that crashes', () => {
  let folder: string;
  let server: EmbeddedServer;
  let db: Database;
  let bus: PostgresBus;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postledger-crash-'));
    // WAL stays in memory until somebody waits for it, so that the crash takes for sure what did not: nothing of the server's own does.
    server = await EmbeddedServer.start({
      folder,
      flags: { wal_writer_delay: '10s', wal_writer_flush_after: '1GB', autovacuum: 'off' },
    });
    await server.ensureDatabase('crash');
    db = new Database(server.url('crash'));
    await migrate(db);
    bus = new PostgresBus(db, { leaseMs: 1_500, heartbeatMs: 200 });
  });
  afterAll(async () => {
    await bus.close();
    await db.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The process that writes, every ten seconds, WAL which nobody waits for. */
  async function walWriter(): Promise<number> {
    const [row] = await db.query<{ pid: number }>("select pid from pg_stat_activity where backend_type = 'walwriter'");
    return row!.pid;
  }

  /** SIGKILLs one of the server's processes, upon which it restarts all; resolves when it has. */
  async function crash(): Promise<void> {
    const killed = await walWriter();
    process.kill(killed, 'SIGKILL');
    await eventually(async () => expect(await walWriter()).not.toBe(killed), { within: 60_000 });
  }

  it.each(['handed over', 'read'])(
    'hands over what got positions that a reader had been %s other messages at, which the crash took',
    async (how) => {
      const ledger = new Ledger();
      const topics = [`${how}.v1`, 'lost.v1'];
      const subscription = await bus.subscribe({ group: newGroup(), topics, from: 'latest', onBatch: ledger.handle });
      await bus.publish([numbered(`${how}.v1`, 'before', 1)]);
      await eventually(() => expect(ledger.ids).toEqual(['evt_before_1']));
      const taken = roundRobin(
        'lost.v1',
        KEYS.map((key) => `lost_${key}`),
        50,
      );
      process.kill(await walWriter(), 'SIGSTOP');
      const lost = await db.tx((sql) => writeOutbox(sql, taken), { lazy: true });
      if (how === 'handed over') bus.handOver(lost);
      await eventually(() => expect(ledger.missing(taken)).toEqual([]));
      await crash();
      const published = roundRobin(`${how}.v1`, KEYS, 60);
      await eventually(() => bus.publish(published), { within: 60_000 });
      const [first] = await db.query<{ position: number }>(
        "select min(position) as position from bus.message where topic = $1 and key <> 'before'",
        [`${how}.v1`],
      );
      expect(first!.position).toBeLessThanOrEqual(lost.last);
      await eventually(() => expect(ledger.missing(published)).toEqual([]));
      expect(ledger.disorder()).toEqual([]);
      await subscription.close();
    },
  );

  it('takes no offset that was reached before the crash, nor with what is given up', async () => {
    const group = newGroup();
    const leaving = new GroupMember(db, group, 60_000, () => undefined);
    await leaving.join('earliest');
    await leaving.rebalance();
    for (const claim of leaving.claims.values()) claim.done = 1_000_000;
    const rows = () => db.query('select distinct position, owner from bus.group_offset where group_name = $1', [group]);
    const member = new GroupMember(db, newGroup(), 60_000, () => undefined);
    await member.join('earliest');
    await member.rebalance();
    const claims = [...member.claims.values()];
    for (const claim of claims) claim.done = 1_000_000;
    // It waits for the disk, and what came before it with it: the claims outlive the crash.
    await bus.publish([numbered('kept.v1', 'a', 1)]);
    await crash();
    await eventually(async () => expect(await rows()).toEqual([{ position: 0, owner: leaving.id }]), {
      within: 60_000,
    });
    await leaving.leave();
    expect(await rows()).toEqual([{ position: 0, owner: null }]);
    await eventually(() => member.commit(claims), { within: 60_000 });
    expect(claims.every(({ lost }) => lost)).toBe(true);
    await eventually(async () => {
      await member.heartbeat();
      await member.rebalance();
      expect([...member.claims.values()].map(({ done }) => done)).toEqual(claims.map(() => 0));
    });
    await member.leave();
  });
});

describe('the partition of a message', () => {
  it('depends on workspace and key alone, and stays the same for ever', () => {
    const of = (workspace: string, key: string) =>
      partitionOf({ headers: { ce_source: `urn:postledger:workspace:${workspace}` }, key });
    expect([of('ws_1', 'pst_1'), of('ws_1', 'pst_2'), of('ws_2', 'pst_1'), of('ws_1', 'pst_😀')]).toEqual([7, 2, 1, 7]);
  });

  it('spreads keys evenly', () => {
    const counts = new Array<number>(PARTITIONS).fill(0);
    for (let i = 0; i < 12_000; i++)
      counts[partitionOf({ headers: { ce_source: 'urn:postledger:workspace:ws_1' }, key: `pst_${i}` })]!++;
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1_150);
  });
});
