import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { systemClock } from '#kernel';
import type { ReceivedMessage } from '#messaging';
import { fromBusMessage } from '#public-messages';
import { eventually, Receiver } from '#testing';
import { DeliveriesQuery } from '#read-models';
import { deliveryAggregate, endpointAggregate } from '#webhooks';
import { purgeClosed } from '../endpoints/apply-change';
import { fulfil } from '../requests/requests';
import { World } from '../testing/world';
import type { DeliveryWorker } from './delivery-worker';

describe('what becomes of a delivery', () => {
  let world: World;
  let worker: DeliveryWorker;
  let receiver: Receiver;
  let deliveries: DeliveriesQuery;
  beforeAll(async () => {
    [world, receiver] = await Promise.all([World.open({ retryScale: 0.000001 }), Receiver.open()]);
    worker = await world.worker();
    deliveries = new DeliveriesQuery(world.test.db);
  });
  afterAll(async () => {
    await world.close();
    await receiver.close();
  });

  const list = async (endpointId: string) => (await deliveries.list('ws_1', { endpointId }, { limit: 50 })).data;
  const first = async (endpointId: string) => (await list(endpointId))[0]!;
  const listed = (endpointId: string, ...expected: object[]) =>
    eventually(async () => expect(await list(endpointId)).toEqual(expected.map((one) => expect.objectContaining(one))));

  const replayAll = (endpointId: string, jobId: string, status: 'discarded' | null) => {
    const by = world.by();
    const since = by.at.replace(/^\d{4}/, '2020') as never;
    return world.endpointCommand(endpointId, { type: 'RequestReplay', jobId, since, until: null, status, ...by });
  };
  /** What happens later is not for it. */
  const end = async (endpointId: string) => {
    await world.endpointCommand(endpointId, { type: 'DeleteEndpoint', ...world.by() });
    await world.pass(worker);
  };
  const byHand = async (type: 'RequestDeliveryReplay' | 'DiscardDelivery', endpointId: string, id: string) => {
    const by = world.by();
    await world.commands.handle(
      deliveryAggregate,
      id,
      { type, endpointId, deliveryId: id, ...by },
      {
        workspace: 'ws_1',
        actor: by.actor,
        correlationId: 'c',
        causationId: null,
        commandId: randomUUID(),
        at: by.at,
      },
    );
  };

  it('is parked after its last retry, which the log hears of', async () => {
    receiver.always('/parked', 500);
    await world.register('whe_parked', receiver.url('/parked'));
    await world.pass(worker);
    await world.happen('east');
    await world.pass(worker);
    await listed('whe_parked', { status: 'parked', sequence: 1 });
    expect(receiver.on('/parked')).toHaveLength(10);
    const { id } = await first('whe_parked');
    const detail = await deliveries.get('ws_1', id);
    expect(detail!.attempts.map(({ number, statusCode }) => [number, statusCode])).toEqual(
      Array.from({ length: 10 }, (_, n) => [n + 1, 500]),
    );
    await eventually(async () =>
      expect((await world.commands.load(deliveryAggregate, 'ws_1', id)).state).toEqual({
        status: 'parked',
        attempts: 10,
      }),
    );
    expect(await deliveries.get('ws_2', id)).toBeUndefined();
  });

  it('is sent again on request: same id, bytes and number, a new ladder, and a header that says so', async () => {
    const { id } = await first('whe_parked');
    receiver.always('/parked', 204);
    const before = receiver.on('/parked')[0]!;
    await byHand('RequestDeliveryReplay', 'whe_parked', id);
    const messages = await world.fresh();
    await worker.handle(messages);
    await eventually(() => expect(receiver.on('/parked')).toHaveLength(11));
    const again = receiver.on('/parked')[10]!;
    expect(again.body).toBe(before.body);
    expect(again.headers['webhook-id']).toBe(before.headers['webhook-id']);
    expect(again.headers['webhook-sequence']).toBe('1');
    expect([before.headers['webhook-replay'], again.headers['webhook-replay']]).toEqual([undefined, 'true']);
    await listed('whe_parked', { status: 'delivered' });
    // The request comes again, as from a bus that was not told of its end.
    const row = () => world.test.db.query('select * from delivery.delivery where id = $1', [id.slice('dlv_'.length)]);
    const after = await row();
    await worker.handle(messages);
    expect(await row()).toEqual(after);
  });

  it('begins a new ladder when it is asked for again while the last attempt of another is under way', async () => {
    const [endpointId, path, before] = ['whe_anew', '/anew', 9];
    const held: ServerResponse[] = [];
    const hold = (_: unknown, response: ServerResponse) => void held.push(response);
    receiver.always(path, 500);
    receiver.script(path, ...Array<number>(before).fill(500), hold, hold);
    await world.register(endpointId, receiver.url(path), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('anew');
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(1));
    const { id } = await first(endpointId);
    await byHand('RequestDeliveryReplay', endpointId, id);
    await world.pass(worker);
    // The replay goes at once, beside what has yet to be answered.
    await eventually(() => expect(held).toHaveLength(2));
    held[0]!.writeHead(500).end();
    await eventually(async () => expect((await deliveries.get('ws_1', id))!.attempts).toHaveLength(before + 1));
    held[1]!.writeHead(500).end();
    await listed(endpointId, { status: 'parked' });
    await eventually(async () => expect(await world.test.db.query('select 1 from delivery.lease')).toEqual([]));
    const replays = receiver.on(path).filter(({ headers }) => headers['webhook-replay'] === 'true');
    expect([receiver.on(path).length - replays.length, replays.length]).toEqual([before + 1, 10]);
    await end(endpointId);
  });

  it('is written down however often it was sent, and holds up no other', async () => {
    await world.register('whe_often', receiver.url('/often'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('often');
    await world.pass(worker);
    await listed('whe_often', { status: 'delivered' });
    const { id } = await first('whe_often');
    await world.test.db.query(
      'insert into delivery.attempt (delivery_id, number, at, duration_ms, ok, status_code) select $1, n, now(), 1, true, 204 from generate_series(2, 32767) n',
      [id.slice('dlv_'.length)],
    );
    await byHand('RequestDeliveryReplay', 'whe_often', id);
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/often')).toHaveLength(2));
    await listed('whe_often', { status: 'delivered' });
    expect((await deliveries.get('ws_1', id))!.attempts).toHaveLength(32_768);
    await end('whe_often');
  });

  it('stays parked when it is asked for again while its endpoint is closed', async () => {
    receiver.always('/closed', 500);
    await world.register('whe_closed', receiver.url('/closed'), { eventTypes: ['region.*'] });
    await world.happen('closed');
    await world.pass(worker);
    await listed('whe_closed', { status: 'parked' });
    await world.endpointCommand('whe_closed', { type: 'DisableEndpoint', reason: 'manual', ...world.by() });
    const { id } = await first('whe_closed');
    await byHand('RequestDeliveryReplay', 'whe_closed', id);
    await world.pass(worker);
    expect(await first('whe_closed')).toMatchObject({ status: 'parked' });
  });

  it('is discarded by hand, once and for all', async () => {
    receiver.always('/discard', { status: 503, headers: { 'retry-after': '3600' } });
    await world.register('whe_discard', receiver.url('/discard'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('west');
    await world.pass(worker);
    await listed('whe_discard', { status: 'retrying' });
    const { id, nextAttemptAt } = await first('whe_discard');
    expect(Date.parse(nextAttemptAt!) - Date.now()).toBeGreaterThan(3_500_000);
    await byHand('DiscardDelivery', 'whe_discard', id);
    await world.pass(worker);
    await listed('whe_discard', { status: 'discarded', reason: 'discarded' });
    expect(await world.test.db.query('select * from delivery.retry')).toEqual([]);
  });

  it.each(['DiscardDelivery', 'RequestDeliveryReplay'] as const)(
    'is left as it is by a request that names another endpoint (%s)',
    async (type) => {
      const [own, another] = [`whe_own_${type}`, `whe_another_${type}`];
      receiver.always(`/${own}`, { status: 503, headers: { 'retry-after': '3600' } });
      for (const id of [own, another]) await world.register(id, receiver.url(`/${id}`), { eventTypes: ['region.*'] });
      await world.pass(worker);
      await world.happen(type);
      await world.pass(worker);
      await listed(own, { status: 'retrying' });
      const { id } = await first(own);
      const rows = () =>
        world.test.db.query('select * from delivery.delivery where id = $1', [id.slice('dlv_'.length)]);
      const before = await rows();
      await byHand(type, another, id);
      await world.pass(worker);
      expect(await rows()).toEqual(before);
      for (const each of [own, another]) await end(each);
    },
  );

  describe.each([false, true])('that is discarded by hand while it waits for its turn (ordered: %s)', (ordered) => {
    /** Has another do the discarding that `message` asks for. */
    type Other = (message: ReceivedMessage) => Promise<void>;
    const byAnother: Other = async (message) => {
      const other = await world.worker();
      await other.handle([message]);
      await other.stop();
    };
    const byOneThatDies: Other = async (message) => {
      await fulfil({ db: world.test.db, clock: systemClock }, fromBusMessage(message));
    };
    const unheard: Other = async (message) => {
      const listener =
        "from pg_stat_activity where application_name = 'postledger listener' and datname = current_database()";
      const { db } = world.test;
      await db.query(`select pg_terminate_backend(pid) ${listener}`);
      await eventually(async () => expect(await db.query(`select 1 ${listener}`)).toEqual([]));
      await byOneThatDies(message);
    };

    it.each([
      ['another process', byAnother],
      ['one that dies right after it', byOneThatDies],
      ['another while the connection that tells of it is cut', unheard],
    ])('is not sent any more: by %s', async (name, discard) => {
      const id = `whe_turn_${ordered}_${name.length}`;
      const held: ServerResponse[] = [];
      receiver.always(`/${id}`, (_, response) => void held.push(response));
      await world.register(id, receiver.url(`/${id}`), { eventTypes: ['region.*'], ordered });
      await world.pass(worker);
      await eventually(async () =>
        expect(await world.test.db.query("select 1 from delivery.endpoint where phase = 'catching_up'")).toEqual([]),
      );
      for (const entity of ['a', 'b', 'c', 'c']) await world.happen(`${id}-${entity}`);
      await world.pass(worker);
      await eventually(() => expect(held).toHaveLength(2));
      const unwanted = (await list(id)).find(({ sequence }) => sequence === 3)!;
      await byHand('DiscardDelivery', id, unwanted.id);
      const heard = jest.spyOn(worker.parts.dispatcher, 'discard');
      const [message] = (await world.fresh()).filter(({ type }) => type === 'webhook.delivery_discarded');
      await discard(message!);
      const queued = 'select 1 from delivery.queue where delivery_id = $1';
      expect(await world.test.db.query(queued, [unwanted.id.slice('dlv_'.length)])).toEqual([]);
      await eventually(() => expect(heard).toHaveBeenCalled());
      heard.mockRestore();
      receiver.always(`/${id}`, 204);
      held.forEach((response) => response.writeHead(204).end());
      await eventually(async () =>
        expect((await list(id)).map(({ sequence, status }) => [sequence, status])).toEqual([
          [4, 'delivered'],
          [3, 'discarded'],
          [2, 'delivered'],
          [1, 'delivered'],
        ]),
      );
      await eventually(async () => expect(await world.test.db.query('select 1 from delivery.lease')).toEqual([]));
      expect(
        receiver
          .on(`/${id}`)
          .map(({ headers }) => headers['webhook-sequence'])
          .sort(),
      ).toEqual(['1', '2', '4']);
      expect((await deliveries.get('ws_1', unwanted.id))!.attempts).toEqual([]);
      expect(worker.parts.dispatcher.load).toMatchObject({ inFlight: 0, buffered: 0 });
      await eventually(() => expect(worker.parts.leases['known'].size).toBe(0));
    });
  });

  it('is not sent any more when it is discarded by hand while it is sent, whatever else fails at the same moment', async () => {
    const held: ServerResponse[] = [];
    receiver.always('/under-way', (_, response) => void held.push(response));
    await world.register('whe_under_way', receiver.url('/under-way'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    for (const entity of ['under way', 'beside']) await world.happen(entity);
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(2));
    const unwanted = (await list('whe_under_way')).find(({ sequence }) => sequence === 1)!;
    await byHand('DiscardDelivery', 'whe_under_way', unwanted.id);
    await world.pass(worker);
    receiver.always('/under-way', 204);
    // In a statement that is one for both.
    const { recorder } = worker.parts;
    const add = jest.spyOn(recorder, 'add').mockReturnValue();
    held.forEach((response) => response.writeHead(500).end());
    await eventually(() => expect(add).toHaveBeenCalledTimes(2));
    const outcomes = add.mock.calls.map(([outcome]) => outcome);
    add.mockRestore();
    outcomes.forEach((outcome) => recorder.add(outcome));
    await listed('whe_under_way', { sequence: 2, status: 'delivered' }, { sequence: 1, status: 'discarded' });
    expect(receiver.on('/under-way')).toHaveLength(3);
    await end('whe_under_way');
  });

  it('waits for nobody again when a worker dies that has it in its hands, once it has its outcome', async () => {
    const { db } = world.test;
    await world.register('whe_over', receiver.url('/over'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    for (const entity of ['delivered', 'parked', 'discarded']) await world.happen(entity);
    await world.pass(worker);
    await listed('whe_over', ...['delivered', 'delivered', 'delivered'].map((status) => ({ status })));
    const own = "from delivery.endpoint e where e.id = 'whe_over' and d.endpoint = e.no";
    for (const [sequence, state] of [
      [2, 'parked'],
      [3, 'discarded'],
    ])
      await db.query(`update delivery.delivery d set state = $2 ${own} and d.sequence = $1`, [sequence, state]);
    const dead = randomUUID();
    await db.query(
      `insert into delivery.lease (batch, worker, deliveries)
       select gen_random_uuid(), $1, array_agg(d.id) from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint where e.id = 'whe_over'`,
      [dead],
    );
    expect(await db.query('select delivery.release($1, now()) as given', [dead])).toEqual([{ given: 0 }]);
    await listed('whe_over', { status: 'discarded' }, { status: 'parked' }, { status: 'delivered' });
    expect(receiver.on('/over')).toHaveLength(3);
    await end('whe_over');
  });

  it('waits again when the last of those dies that had it in their hands, superseded by a newer one unless it is a replay', async () => {
    const { db } = world.test;
    receiver.always('/taken', { status: 503, headers: { 'retry-after': '3600' } });
    await world.register('whe_taken', receiver.url('/taken'), { eventTypes: ['region.*'], latestOnly: true });
    await world.pass(worker);
    await world.happen('taken');
    await world.pass(worker);
    await listed('whe_taken', { status: 'retrying' });
    const id = (await first('whe_taken')).id.slice('dlv_'.length);
    const takenFrom = async () => {
      const taker = randomUUID();
      await db.query('delete from delivery.retry where delivery_id = $1', [id]);
      await db.query('insert into delivery.lease (batch, worker, deliveries) values (gen_random_uuid(), $1, $2)', [
        taker,
        [id],
      ]);
      return taker;
    };
    const waiting = () => db.query('select coalesce_key from delivery.retry where delivery_id = $1', [id]);
    // Not due before the test is over.
    const dies = async (taker: string) => {
      await db.query("select delivery.release($1, now() + interval '1 day')", [taker]);
      return waiting();
    };
    const [former, latter] = [await takenFrom(), await takenFrom()];
    expect(await dies(former)).toEqual([]);
    expect(await dies(latter)).toEqual([{ coalesce_key: expect.stringContaining('taken') }]);
    await db.query('update delivery.delivery set replay = true where id = $1', [id]);
    expect(await dies(await takenFrom())).toEqual([{ coalesce_key: null }]);
    await end('whe_taken');
  });

  it('is kept by who saw its endpoint closed before it was enabled', async () => {
    receiver.always('/seen', { status: 503, headers: { 'retry-after': '3600' } });
    await world.register('whe_seen', receiver.url('/seen'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('seen');
    await world.pass(worker);
    await listed('whe_seen', { status: 'retrying' });
    const { db } = world.test;
    const [row] = await db.query<{ no: number }>("select no from delivery.endpoint where id = 'whe_seen'");
    expect(await purgeClosed(db, row!.no, world.by().at)).toBe(0);
    await listed('whe_seen', { status: 'retrying' });
  });

  it('is discarded with the others when the endpoint says 410, and the endpoint is disabled as gone', async () => {
    receiver.always('/gone', 410);
    await world.register('whe_gone', receiver.url('/gone'));
    await world.pass(worker);
    await world.happen('south', 20);
    await world.pass(worker);
    await eventually(async () =>
      expect((await world.commands.load(endpointAggregate, 'ws_1', 'whe_gone')).state).toMatchObject({
        config: { status: 'disabled', disabledReason: 'gone' },
      }),
    );
    await world.pass(worker);
    await eventually(async () =>
      expect(
        (await list('whe_gone'))
          .filter(({ sequence }) => sequence <= 20)
          .map(({ status, reason }) => `${status}: ${reason}`),
      ).toEqual(Array<string>(20).fill('discarded: gone')),
    );
    // Those that were under way with it, and none after it.
    expect(receiver.on('/gone').length).toBeLessThanOrEqual(2);
  });

  it.each([false, true])(
    'is sent when the one before was answered 410 but discarded by hand by then (ordered: %s)',
    async (ordered) => {
      const id = `whe_not_gone_${ordered}`;
      const path = `/${id}`;
      let answer: ServerResponse | undefined;
      receiver.script(path, (_, response) => (answer = response));
      await world.register(id, receiver.url(path), { eventTypes: ['region.*'], ordered });
      await world.pass(worker);
      const region = `not-gone-${ordered}`;
      await world.happen(region);
      await world.pass(worker);
      await eventually(() => expect(answer).toBeDefined());
      await world.happen(region, 3);
      await world.pass(worker);
      const discarded = (await list(id)).at(-1)!.id;
      await byHand('DiscardDelivery', id, discarded);
      await world.pass(worker);
      answer!.writeHead(410).end();
      await eventually(async () => expect((await deliveries.get('ws_1', discarded))!.attempts).toHaveLength(1));
      await world.happen(region);
      await world.pass(worker);
      await listed(id, ...Array.from({ length: 4 }, (_, n) => ({ sequence: 5 - n, status: 'delivered' })), {
        sequence: 1,
        status: 'discarded',
        reason: 'discarded',
      });
      expect((await world.commands.load(endpointAggregate, 'ws_1', id)).state).toMatchObject({
        config: { status: 'enabled' },
      });
    },
  );

  it.each([
    ['a 410', 'another target'],
    ['a 410', 'an enabling'],
    ['five days of failures', 'another target'],
  ])('does not end an endpoint by %s that the log hears of after %s', async (what, since) => {
    const id = `whe_late_${what.length}_${since.length}`;
    const path = `/${id}`;
    const isGone = what === 'a 410';
    receiver.always(path, isGone ? 410 : 500);
    const { db } = world.test;
    const { facts } = worker.parts as unknown as { facts: { round(): Promise<void> } };
    const round = jest.spyOn(facts, 'round').mockResolvedValue();
    await world.register(id, receiver.url(path), { eventTypes: ['region.*'] });
    await world.pass(worker);
    if (!isGone)
      await db.query("update delivery.endpoint set failing_since = now() - interval '6 days' where id = $1", [id]);
    await world.happen(id);
    await world.pass(worker);
    const told = () => db.query('select 1 from delivery.fact where endpoint_id = $1 and kind <> $2', [id, 'parked']);
    await eventually(async () => expect(await told()).toHaveLength(1));
    if (since === 'another target')
      await world.endpointCommand(id, {
        type: 'UpdateEndpoint',
        changes: { targetUrl: receiver.url('/elsewhere') },
        ...world.by(),
      });
    else {
      await world.endpointCommand(id, { type: 'DisableEndpoint', reason: 'manual', ...world.by() });
      await world.endpointCommand(id, { type: 'EnableEndpoint', ...world.by() });
    }
    const said = jest.spyOn(worker['engines'].log, 'info');
    round.mockRestore();
    worker.parts.facts.wake();
    await eventually(async () => expect(await told()).toEqual([]));
    expect(said).toHaveBeenCalledWith(
      expect.objectContaining({ endpoint: id }),
      `webhook ${isGone ? 'gone' : 'failing'}, but no longer`,
    );
    said.mockRestore();
    expect((await world.commands.load(endpointAggregate, 'ws_1', id)).state).toMatchObject({
      config: { status: 'enabled' },
    });
    await end(id);
  });

  it('is numbered and discarded while the endpoint is disabled, and sent by a replay job after it is enabled', async () => {
    await world.register('whe_off', receiver.url('/off'), { eventTypes: ['region.*'] });
    await world.happen('off-1');
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/off')).toHaveLength(1));
    await world.endpointCommand('whe_off', { type: 'DisableEndpoint', reason: 'manual', ...world.by() });
    await world.happen('off-2', 250);
    await world.pass(worker);
    await eventually(async () =>
      expect(
        (await deliveries.list('ws_1', { endpointId: 'whe_off', status: 'discarded' }, { limit: 200 })).data,
      ).toHaveLength(200),
    );
    await world.endpointCommand('whe_off', { type: 'EnableEndpoint', ...world.by() });
    await replayAll('whe_off', 'job_1', 'discarded');
    await world.pass(worker);
    await eventually(async () =>
      expect(await deliveries.job('ws_1', 'job_1')).toEqual({
        id: 'job_1',
        endpointId: 'whe_off',
        status: 'done',
        total: 250,
        done: 250,
      }),
    );
    await eventually(() => expect(receiver.on('/off')).toHaveLength(251));
    expect(new Set(receiver.on('/off').map(({ headers }) => headers['webhook-sequence'])).size).toBe(251);
  });

  it('is not sent again by a replay job that was asked for before it was there', async () => {
    await world.register('whe_until', receiver.url('/until'), { eventTypes: ['region.*'] });
    await world.happen('until');
    await world.pass(worker);
    await listed('whe_until', { status: 'delivered' });
    await replayAll('whe_until', 'job_until', null);
    const request = await world.fresh();
    await world.happen('until');
    await world.pass(worker);
    await listed('whe_until', { status: 'delivered' }, { status: 'delivered' });
    await worker.handle(request);
    await eventually(async () =>
      expect(await deliveries.job('ws_1', 'job_until')).toMatchObject({ status: 'done', total: 1, done: 1 }),
    );
  });

  it.each([{ type: 'DisableEndpoint', reason: 'manual' }, { type: 'DeleteEndpoint' }] as const)(
    'is not sent by a replay job that finds its endpoint closed ($type), and the job says so',
    async (close) => {
      const id = `whe_${close.type}`;
      const job = `job_${close.type}`;
      const path = `/${close.type}`;
      await world.register(id, receiver.url(path), { eventTypes: ['region.*'] });
      await world.happen('shut');
      await world.pass(worker);
      await listed(id, { status: 'delivered' });
      await world.endpointCommand(id, { ...close, ...world.by() });
      await world.pass(worker);
      await world.test.db.query(
        `insert into delivery.job (id, workspace, endpoint, since, until)
         select $1, workspace, no, '2020-01-01', now() + interval '1 hour' from delivery.endpoint where id = $2`,
        [job, id],
      );
      worker.parts.jobs.wake();
      await eventually(async () =>
        expect(await deliveries.job('ws_1', job)).toMatchObject({
          status: 'failed',
          error: 'The endpoint is disabled or deleted',
        }),
      );
      await listed(id, { status: 'delivered' });
      expect(receiver.on(path)).toHaveLength(1);
    },
  );

  describe('that is asked for again reaches delivery before what had become of its endpoint', () => {
    const before = async (id: string) => {
      receiver.always(`/${id}`, 204);
      await world.register(id, receiver.url(`/${id}`), { eventTypes: ['region.*'] });
      await world.pass(worker);
      await world.happen(id);
      await world.pass(worker);
      await listed(id, { status: 'delivered' });
    };
    const change = async (
      id: string,
      command: { type: 'EnableEndpoint' } | { type: 'DisableEndpoint'; reason: 'manual' },
    ) => {
      await world.endpointCommand(id, { ...command, ...world.by() });
      return world.fresh();
    };

    it('is sent although delivery takes the endpoint for disabled', async () => {
      await before('whe_early');
      await worker.handle(await change('whe_early', { type: 'DisableEndpoint', reason: 'manual' }));
      const enabling = await change('whe_early', { type: 'EnableEndpoint' });
      await byHand('RequestDeliveryReplay', 'whe_early', (await first('whe_early')).id);
      await world.pass(worker);
      await worker.handle(enabling);
      await eventually(() => expect(receiver.on('/whe_early')).toHaveLength(2));
    });

    it('is sent although the endpoint was disabled after that', async () => {
      await before('whe_since');
      await byHand('RequestDeliveryReplay', 'whe_since', (await first('whe_since')).id);
      const request = await world.fresh();
      const disabling = await change('whe_since', { type: 'DisableEndpoint', reason: 'manual' });
      await worker.handle(request);
      await eventually(() => expect(receiver.on('/whe_since')).toHaveLength(2));
      await worker.handle(disabling);
    });

    it('is kept although delivery hears of the disabling afterwards', async () => {
      await before('whe_kept');
      const disabling = await change('whe_kept', { type: 'DisableEndpoint', reason: 'manual' });
      const enabling = await change('whe_kept', { type: 'EnableEndpoint' });
      receiver.always('/whe_kept', { status: 503, headers: { 'retry-after': '3600' } });
      await byHand('RequestDeliveryReplay', 'whe_kept', (await first('whe_kept')).id);
      await world.pass(worker);
      await listed('whe_kept', { status: 'retrying' });
      await worker.handle(disabling);
      await worker.handle(enabling);
      await listed('whe_kept', { status: 'retrying' });
    });
  });

  it('is fed to who pulls, in order', async () => {
    const feed = await deliveries.feed('ws_1', 'whe_off', { after: 10, limit: 3 });
    expect(feed!.data.map(({ sequence }) => sequence)).toEqual([11, 12, 13]);
    expect(feed!.nextCursor).toBe('13');
    expect(JSON.parse(feed!.data[0]!.body)).toMatchObject({
      type: 'region.performance_updated',
      id: feed!.data[0]!.id,
    });
    expect(await deliveries.feed('ws_2', 'whe_off', { after: 0, limit: 3 })).toBeUndefined();
  });

  it('ends with the endpoint', async () => {
    receiver.always('/deleted', { status: 503, headers: { 'retry-after': '3600' } });
    await world.register('whe_deleted', receiver.url('/deleted'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('deleted');
    await world.pass(worker);
    await listed('whe_deleted', { status: 'retrying' });
    await world.endpointCommand('whe_deleted', { type: 'DeleteEndpoint', ...world.by() });
    await world.pass(worker);
    await listed('whe_deleted', { status: 'discarded', reason: 'deleted' });
  });

  it('disables an endpoint that has failed for five days, across processes and restarts', async () => {
    receiver.always('/failing', 500);
    for (const id of ['whe_failing', 'whe_spared', 'whe_elsewhere'])
      await world.register(id, receiver.url('/failing'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.test.db.query(
      `update delivery.endpoint set failing_since = now() - interval '5 days' + case id when 'whe_spared' then interval '1 hour' else interval '-1 second' end
       where id in ('whe_failing', 'whe_spared', 'whe_elsewhere')`,
    );
    receiver.always('/failing-too', 500);
    const changes = { targetUrl: receiver.url('/failing-too') };
    await world.endpointCommand('whe_elsewhere', { type: 'UpdateEndpoint', changes, ...world.by() });
    await world.pass(worker);
    await world.happen('failing');
    await world.pass(worker);
    for (const id of ['whe_spared', 'whe_elsewhere']) await listed(id, { status: 'retrying' });
    await eventually(async () =>
      expect((await world.commands.load(endpointAggregate, 'ws_1', 'whe_failing')).state).toMatchObject({
        config: { status: 'disabled', disabledReason: 'failing' },
      }),
    );
    for (const id of ['whe_spared', 'whe_elsewhere']) {
      const { state } = await world.commands.load(endpointAggregate, 'ws_1', id);
      expect([id, state]).toMatchObject([id, { config: { status: 'enabled' } }]);
    }
  });

  it('counts no time against an endpoint in which nobody delivered', async () => {
    receiver.always('/paused', 500);
    for (const id of ['whe_paused', 'whe_hopeless'])
      await world.register(id, receiver.url('/paused'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    // Stopped three weeks ago, when they had failed for a day, and for five.
    const { db } = world.test;
    await db.query(
      `update delivery.endpoint set failing_since = now() - interval '21 days' - case id when 'whe_paused' then interval '1 day' else interval '5 days' end
       where id in ('whe_paused', 'whe_hopeless')`,
    );
    await db.query("update delivery.awake set at = now() - interval '21 days'");
    await world.happen('paused');
    await world.pass(worker);
    const stateOf = async (id: string) => (await world.commands.load(endpointAggregate, 'ws_1', id)).state;
    await eventually(async () =>
      expect(await stateOf('whe_hopeless')).toMatchObject({
        config: { status: 'disabled', disabledReason: 'failing' },
      }),
    );
    expect(await stateOf('whe_paused')).toMatchObject({ config: { status: 'enabled' } });
    const [row] = await db.query<{ days: number }>(
      "select extract(epoch from now() - failing_since) / 86400 as days from delivery.endpoint where id = 'whe_paused'",
    );
    expect(Number(row!.days)).toBeCloseTo(1, 1);
    const [awake] = await db.query<{ secs: number }>(
      'select extract(epoch from now() - at) as secs from delivery.awake',
    );
    expect(Number(awake!.secs)).toBeLessThan(60);
  });
});
