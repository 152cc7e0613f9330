import type { ServerResponse } from 'node:http';
import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';
import type { DeliveryWorker } from './delivery-worker';

/**
 * PostgreSQL commits, and the worker does not hear of it: what it leased all the same is sent, though the worker lives on and the
 * messages do not come again.
 */
describe('a commit whose answer is lost', () => {
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open({ retryScale: 0.02 }), Receiver.open()]);
    worker = await world.worker();
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  /** The next one that has rows of a statement with `text`, alone or in a transaction. Says whether it was lost. */
  const lose = (text: string): (() => boolean) => {
    const { db } = world.test;
    const [query, tx] = [db.query.bind(db), db.tx.bind(db)];
    let isLost = false;
    const cut = () => {
      isLost = true;
      throw new Error('the connection was cut');
    };
    db.query = async <Row>(statement: string, params?: readonly unknown[]) => {
      const rows = await query<Row>(statement, params);
      return isLost || !statement.includes(text) ? rows : cut();
    };
    db.tx = async (work, options) => {
      let isIt = false;
      const result = await tx(
        (sql) =>
          work({
            ...sql,
            async query<Row>(statement: string, params?: readonly unknown[]) {
              const rows = await sql.query<Row>(statement, params);
              isIt ||= statement.includes(text) && rows.length > 0;
              return rows;
            },
          }),
        options,
      );
      return isLost || !isIt ? result : cut();
    };
    return () => isLost;
  };
  const register = async (startFrom: string | null = null): Promise<void> => {
    await world.register('whe_a', receiver.url('/a'), { eventTypes: ['region.*'], startFrom });
    await world.pass(worker);
  };
  const eachArrivesOnce = async (count: number): Promise<void> => {
    await eventually(() => expect(receiver.on('/a')).toHaveLength(count));
    await eventually(async () =>
      expect(await world.test.db.query('select 1 from delivery.lease union all select 1 from delivery.retry')).toEqual(
        [],
      ),
    );
    const sent = receiver.on('/a').map(({ headers }) => Number(headers['webhook-sequence']));
    expect(sent.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
  };

  it('of an intake', async () => {
    await register();
    await world.live(1);
    await world.happen('a', 5);
    const messages = await world.fresh();
    lose('delivery.intake(');
    await expect(worker.handle(messages)).rejects.toThrow('cut');
    await worker.handle(messages);
    await eachArrivesOnce(5);
  });

  it('of a claim of what is due', async () => {
    await register();
    await world.live(1);
    receiver.script('/a', 500);
    const isLost = lose('delivery.claim(');
    await world.happen('a');
    await world.pass(worker);
    await eventually(isLost);
    await eventually(() => expect(receiver.on('/a')).toHaveLength(2));
  });

  it.each([
    ['a page', 250],
    ['the last stretch', 5],
  ])('of %s of a catch-up', async (_, count) => {
    await world.happen('a', count);
    await world.fresh();
    const isLost = lose('delivery.backfill(');
    await register('2020-01-01T00:00:00.000Z');
    await eventually(isLost);
    await eachArrivesOnce(count);
  });

  it('of what was attempted, which is listed once', async () => {
    await register();
    await world.live(1);
    for (const reply of [204, 500]) {
      receiver.script('/a', reply);
      const isLost = lose('delivery.record(');
      await world.happen('a');
      await world.pass(worker);
      await eventually(isLost);
      await eventually(async () => expect(await world.test.db.query('select 1 from delivery.lease')).toEqual([]));
    }
    await eventually(() => expect(receiver.on('/a')).toHaveLength(3));
    await eventually(async () =>
      expect(
        await world.test.db.query(
          'select number, ok from delivery.attempt join delivery.delivery d on d.id = delivery_id order by d.sequence, number',
        ),
      ).toEqual([
        { number: 1, ok: true },
        { number: 1, ok: false },
        { number: 2, ok: true },
      ]),
    );
  });

  it('is as good as one after which the endpoints could not be read', async () => {
    await world.happen('a', 5);
    await world.fresh();
    const { directory } = worker.parts;
    const refresh = directory.refresh.bind(directory);
    let hasFailed = false;
    directory.refresh = async () => {
      const live = await world.liveEndpoints();
      if (hasFailed || live.length === 0) return refresh();
      hasFailed = true;
      throw new Error('the connection was cut');
    };
    await register('2020-01-01T00:00:00.000Z');
    await eventually(() => hasFailed);
    await eachArrivesOnce(5);
  });

  /** Gives the worker a batch of which it has not heard, by a clock that has been set back since. */
  const leaseUnknown = () =>
    world.test.db.query(
      "insert into delivery.lease (batch, worker, deliveries, created_at) values (gen_random_uuid(), $1, '{}', now() + interval '1 hour')",
      [worker.parts.presence.id],
    );

  it('makes the worker give back what it does not know also when the clock was set back since', async () => {
    await leaseUnknown();
    await worker.parts.leases['giveBackUnknown']();
    expect(await world.test.db.query('select 1 from delivery.lease')).toEqual([]);
  });

  it('makes nobody give back what is in memory or under way', async () => {
    await register();
    await world.live(1);
    const held: ServerResponse[] = [];
    receiver.always('/a', (_, response) => void held.push(response));
    await world.happen('a', 20);
    await world.pass(worker);
    await eventually(async () =>
      expect(
        await world.test.db.query(
          "select 1 from delivery.lease where created_at < clock_timestamp() - interval '1.1 seconds'",
        ),
      ).not.toEqual([]),
    );
    const leases = () => world.test.db.query('select batch from delivery.lease order by 1');
    const known = await leases();
    await leaseUnknown();
    await worker.parts.leases['giveBackUnknown']();
    expect(await leases()).toEqual(known);
    expect(await world.test.db.query('select 1 from delivery.retry')).toEqual([]);
    receiver.always('/a', 204);
    held.splice(0).forEach((response) => response.writeHead(204).end());
    await eachArrivesOnce(20);
  });
});

describe('a change of an endpoint of which nobody told the other processes', () => {
  let world: World;
  beforeEach(async () => (world = await World.open()));
  afterEach(() => world.close());

  it('is heard of all the same, also where nothing happens', async () => {
    const [first, second] = [await world.worker(), await world.worker()];
    await world.register('whe_a', 'http://127.0.0.1:9/a');
    await world.pass(first);
    await world.live(1);
    const [row] = await world.test.db.query<{ no: number }>('select no from delivery.endpoint');
    const target = () => second.parts.directory.get(row!.no)?.row.config.targetUrl;
    await eventually(() => expect(target()).toBe('http://127.0.0.1:9/a'));
    jest.spyOn(first['engines'].wake, 'send').mockReturnValue();
    const changes = { targetUrl: 'http://127.0.0.1:9/b' };
    await world.endpointCommand('whe_a', { type: 'UpdateEndpoint', changes, ...world.by() });
    await world.pass(first);
    await eventually(() => expect(target()).toBe('http://127.0.0.1:9/b'));
  });
});

describe('a worker that cannot begin, since the database went away', () => {
  let world: World;
  beforeEach(async () => (world = await World.open()));
  afterEach(() => world.close());

  it.each(['from delivery.endpoint_version', 'insert into delivery.worker', 'delivery.release(id'])(
    'can be stopped all the same, so that its process begins anew: at %s',
    async (statement) => {
      const { db } = world.test;
      const query = db.query.bind(db);
      let isCut = false;
      db.query = async (text, params) => {
        if (isCut || !text.includes(statement)) return query(text, params);
        isCut = true;
        throw new Error('the connection was cut');
      };
      await expect(world.worker()).rejects.toThrow('cut');
      await world.workers[0]!.stop();
      expect(await db.query('select 1 from delivery.worker')).toEqual([]);
    },
  );
});
