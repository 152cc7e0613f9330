import { DAY, plus, systemClock } from '#kernel';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import { Ledger, numbered } from '../conformance/ledger';
import { PostgresBus } from '../postgres/postgres-bus';
import { maintainBus } from './retention';

/** The day so many days ago, by the clock of the server, which is this machine's. */
const ago = (days: number): string => plus(systemClock(), -days * DAY).slice(0, 10);
const tableOf = (day: string): string => `message_${day.replaceAll('-', '')}`;

describe('the retention of the bus', () => {
  let test: TestDatabase;
  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());

  /** Messages at positions of their own on past days, as the bus would have written them then. */
  async function historyOf(days: readonly string[]): Promise<void> {
    for (const [n, day] of days.entries()) {
      await test.db.query('select bus.extend($1, 0)', [`${day}T00:00:00Z`]);
      await test.db.query(
        `insert into bus.message (position, created_at, partition, topic, key, id, type, headers, value)
         values ($1, $2, 0, 'old.v1', 'k', $3, 't', '{}', '{}')`,
        [n + 1, `${day}T10:00:00Z`, `evt_k_${n + 1}`],
      );
    }
    await test.db.query('update bus.head set position = $1', [days.length]);
  }

  it('drops whole days that are old and read, and what nobody read only after the longer time', async () => {
    const days = [41, 30, 20, 8, 7].map(ago);
    await historyOf(days);
    const tables = days.map(tableOf);
    await test.db.query(
      "insert into bus.group_offset (group_name, partition, position) values ('slow', 0, 2), ('slow', 1, 5)",
    );
    expect((await maintainBus(test.db)).sort()).toEqual(tables.slice(0, 2));
    await test.db.query("update bus.group_offset set position = 5 where group_name = 'slow'");
    expect((await maintainBus(test.db)).sort()).toEqual(tables.slice(2, 4));
    expect(await test.db.query('select id from bus.message')).toEqual([{ id: 'evt_k_5' }]);
  });

  it('goes by the clock of the server, whatever that of a process says', async () => {
    jest.useFakeTimers({
      now: Date.now() + 400 * DAY,
      doNotFake: ['setTimeout', 'setInterval', 'setImmediate', 'nextTick', 'queueMicrotask'],
    });
    try {
      expect(await maintainBus(test.db)).toEqual([]);
    } finally {
      jest.useRealTimers();
    }
    expect(await test.db.query('select id from bus.message')).toEqual([{ id: 'evt_k_5' }]);
  });

  it('lets a late group begin at what is left, and makes missing days by itself', async () => {
    await test.db.query("update bus.head set partitioned_until = '-infinity'");
    await test.db.script(`do $$ declare child text; begin
      for child in select relname from pg_class where relname > '${tableOf(ago(7))}' and relname ~ '^message_[0-9]+$' and relkind = 'r' loop
        execute 'drop table bus.' || child; end loop; end $$`);
    const bus = new PostgresBus(test.db);
    const ledger = new Ledger();
    await bus.subscribe({ group: 'late', topics: ['old.v1', 'new.v1'], onBatch: ledger.handle });
    await bus.publish([numbered('new.v1', 'k', 6)]);
    await eventually(() => expect(ledger.ids).toEqual(['evt_k_5', 'evt_k_6']));
    await bus.close();
  });
});
