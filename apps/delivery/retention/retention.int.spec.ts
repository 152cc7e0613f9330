import { millis, plus, systemClock, DAY, type Instant } from '#kernel';
import { eventually, Receiver } from '#testing';
import { DeliveriesQuery } from '#read-models';
import { World } from '../testing/world';

describe('retention', () => {
  let ahead = 0;
  const clock = (): Instant => plus(systemClock(), ahead);
  let world: World;
  let receiver: Receiver;
  beforeAll(async () => {
    [world, receiver] = await Promise.all([World.open({ retryScale: 0.0000001, clock }), Receiver.open()]);
  });
  afterAll(async () => {
    await world.close();
    await receiver.close();
  });

  const partitions = async (table: string): Promise<string[]> =>
    (
      await world.test.db.query<{ name: string }>(
        'select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::regclass order by 1',
        [`delivery.${table}`],
      )
    ).map(({ name }) => name);

  it('drops nothing young when the clock of its process is months ahead', async () => {
    const worker = await world.worker();
    await world.register('whe_young', receiver.url('/young'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.happen('young', 1);
    await world.pass(worker);
    const delivered = async () =>
      (await new DeliveriesQuery(world.test.db).list('ws_1', { endpointId: 'whe_young' }, { limit: 10 })).data;
    await eventually(async () => expect((await delivered()).map(({ status }) => status)).toEqual(['delivered']));
    ahead = 90 * DAY;
    expect(await worker.parts.retention.once()).toEqual({ dropped: 0, expired: 0 });
    expect(await delivered()).toHaveLength(1);
    ahead = 0;
    await world.endpointCommand('whe_young', { type: 'DeleteEndpoint', ...world.by() });
    await world.pass(worker);
    await worker.stop();
  });

  it('drops whole days, and keeps what is parked as long as its contract says', async () => {
    const worker = await world.worker();
    receiver.always('/core', 500);
    receiver.always('/posternity', 500);
    for (const contract of ['core', 'posternity'])
      await world.register(`whe_${contract}`, receiver.url(`/${contract}`), { contract, eventTypes: ['region.*'] });
    // Its deliveries have the same bodies.
    await world.register('whe_twin', receiver.url('/core'), { eventTypes: ['region.*'] });
    await world.register('whe_fine', receiver.url('/fine'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(4);
    await world.happen('a', 2);
    await world.pass(worker);
    const deliveries = new DeliveriesQuery(world.test.db);
    const statuses = async (endpointId: string) =>
      (await deliveries.list('ws_1', { endpointId }, { limit: 10 })).data.map(({ status, reason }) => reason ?? status);
    await eventually(async () => {
      expect(await statuses('whe_core')).toEqual(['parked', 'parked']);
      expect(await statuses('whe_twin')).toEqual(['parked', 'parked']);
      expect(await statuses('whe_posternity')).toEqual(['parked', 'parked']);
      expect(await statuses('whe_fine')).toEqual(['delivered', 'delivered']);
    });
    const today = `delivery_${clock().slice(0, 10).replaceAll('-', '')}`;
    expect(await partitions('delivery')).toContain(today);

    ahead = 8 * DAY;
    await worker.parts.retention.once(millis(clock()));
    expect(await statuses('whe_posternity')).toEqual(['expired', 'expired']);
    expect(await statuses('whe_core')).toEqual(['parked', 'parked']);

    ahead += 23 * DAY;
    // A parked one of which the contract says thirty days goes with its day; one that has no end stays.
    const changedAt = (endpointId: string, at: Instant) =>
      world.test.db.query(
        'update delivery.delivery d set changed_at = $2 from delivery.endpoint e where e.no = d.endpoint and e.id = $1 and d.sequence = 2',
        [endpointId, at],
      );
    for (const endpointId of ['whe_core', 'whe_twin']) await changedAt(endpointId, clock());
    expect((await worker.parts.retention.once(millis(clock()))).dropped).toBeGreaterThanOrEqual(4);
    for (const table of ['delivery', 'attempt', 'body', 'inbox'])
      expect(await partitions(table)).not.toContain(today.replace('delivery', table));
    expect(await statuses('whe_fine')).toEqual([]);
    const kept = (await deliveries.list('ws_1', { endpointId: 'whe_core' }, { limit: 10 })).data;
    expect(kept.map(({ sequence, status }) => [sequence, status])).toEqual([[2, 'parked']]);
    const detail = await deliveries.get('ws_1', kept[0]!.id);
    expect(detail!.body).toContain('region.performance_updated');
    expect(detail!.attempts).toHaveLength(10);

    await changedAt('whe_twin', plus(clock(), -31 * DAY));
    await worker.parts.retention.once(millis(clock()));
    expect(await statuses('whe_twin')).toEqual([]);
    expect(await deliveries.get('ws_1', kept[0]!.id)).toEqual(detail);
    expect(await partitions('delivery')).toContain(`delivery_${clock().slice(0, 10).replaceAll('-', '')}`);
  });

  it('forgets what was taken in when its day had no partition any more', async () => {
    const worker = await world.worker();
    const days = [40, 32, 15];
    await world.test.db.query(
      'insert into delivery.inbox (created_at, position, index) select $1::timestamptz - days * $2::interval, 1000000 + days, 0 from unnest($3::int[]) days',
      [clock(), '1 day', days],
    );
    const late = async () =>
      (
        await world.test.db.query<{ age: number }>(
          'select position::int - 1000000 as age from delivery.inbox_default where position > 1000000 order by 1',
        )
      ).map(({ age }) => age);
    expect(await late()).toEqual([15, 32, 40]);
    await worker.parts.retention.once(millis(clock()));
    expect(await late()).toEqual([15]);
    await worker.stop();
  });

  it('does not keep a process from starting while a backup has the tables, whatever days are missing', async () => {
    const today = clock().slice(0, 10).replaceAll('-', '');
    const worker = await world.worker();
    await world.register('whe_backup', receiver.url('/backup'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await worker.stop();
    // As after days in which nothing ran.
    for (const table of ['attempt', 'body', 'delivery', 'inbox'])
      for (const name of await partitions(table))
        if (name >= `${table}_${today}` && !name.endsWith('_default'))
          await world.test.db.script(`drop table delivery.${name}`);
    await world.test.db.tx(async (backup) => {
      for (const table of ['attempt', 'body', 'delivery', 'inbox'])
        await backup.script(`lock table delivery.${table}, delivery.${table}_default in access share mode`);
      const started = await world.worker();
      await world.happen('backup', 1);
      await world.pass(started);
      await eventually(() => expect(receiver.on('/backup')).toHaveLength(1));
    });
    expect(await partitions('delivery')).not.toContain(`delivery_${today}`);
  });

  it('keeps the attempts of what is parked also where a day has come to have partitions of some tables only', async () => {
    const worker = await world.worker();
    receiver.always('/mixed', 500);
    await world.register('whe_mixed', receiver.url('/mixed'), { eventTypes: ['region.*'] }, 'ws_2');
    await world.pass(worker);
    await world.live(6);
    ahead += 10 * DAY;
    const today = clock().slice(0, 10).replaceAll('-', '');
    await world.endpointCommand('whe_mixed', { type: 'DisableEndpoint', reason: 'manual', ...world.by() }, 'ws_2');
    await world.happen('mixed', 1, 'ws_2');
    await world.pass(worker);
    // Discarded without an attempt, on a day that had no partitions yet.
    await worker.parts.retention.once(millis(clock()));
    expect(await partitions('attempt')).toContain(`attempt_${today}`);
    expect(await partitions('delivery')).not.toContain(`delivery_${today}`);
    await world.endpointCommand('whe_mixed', { type: 'EnableEndpoint', ...world.by() }, 'ws_2');
    await world.happen('mixed', 1, 'ws_2');
    await world.pass(worker);
    const deliveries = new DeliveriesQuery(world.test.db);
    const parked = async () =>
      (await deliveries.list('ws_2', { endpointId: 'whe_mixed', status: 'parked' }, { limit: 10 })).data;
    await eventually(async () => expect(await parked()).toHaveLength(1));
    ahead += 31 * DAY;
    await world.test.db.query("update delivery.delivery set changed_at = $1 where state = 'parked'", [clock()]);
    await worker.parts.retention.once(millis(clock()));
    const detail = await deliveries.get('ws_2', (await parked())[0]!.id);
    expect(detail!.body).toContain('region.performance_updated');
    expect(detail!.attempts).toHaveLength(10);
  });

  it('keeps what a killed process had under way when all is started again only after its day has gone', async () => {
    const worker = await world.worker();
    await world.register('whe_killed', receiver.url('/killed'), { eventTypes: ['region.*'] }, 'ws_3');
    await world.pass(worker);
    const live = async () =>
      world.test.db.query("select from delivery.endpoint where id = 'whe_killed' and phase = 'live'");
    await eventually(async () => expect(await live()).toHaveLength(1));
    receiver.always('/killed', 'hang');
    await world.happen('killed', 3, 'ws_3');
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/killed').length).toBeGreaterThan(0));
    worker.kill();

    ahead += 40 * DAY;
    receiver.always('/killed', 204);
    const next = await world.worker();
    await next.parts.retention.once(millis(clock()));
    const deliveries = new DeliveriesQuery(world.test.db);
    const statuses = async () =>
      (await deliveries.list('ws_3', { endpointId: 'whe_killed' }, { limit: 10 })).data.map(({ status }) => status);
    expect(await statuses()).toEqual(['pending', 'pending', 'pending']);
    await eventually(async () => expect(await statuses()).toEqual(['delivered', 'delivered', 'delivered']));
    // Delivered, they go like others.
    await next.parts.retention.once(millis(clock()));
    expect(await statuses()).toEqual([]);
  });
});
