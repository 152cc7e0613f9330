import { eventually, Receiver } from '#testing';
import type { ReceivedMessage } from '#messaging';
import { World } from '../testing/world';
import type { DeliveryWorker } from '../worker/delivery-worker';

describe('an endpoint that was changed again before delivery hears of the first change', () => {
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
    worker = await world.worker();
    await world.register('whe_c', receiver.url('/c'), { eventTypes: ['account.*'] });
    await world.pass(worker);
    await world.live(1);
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  const change = (type: 'enable' | 'disable' | 'delete' | readonly string[]) => {
    if (type === 'enable') return world.endpointCommand('whe_c', { type: 'EnableEndpoint', ...world.by() });
    if (type === 'disable')
      return world.endpointCommand('whe_c', { type: 'DisableEndpoint', reason: 'manual', ...world.by() });
    if (type === 'delete') return world.endpointCommand('whe_c', { type: 'DeleteEndpoint', ...world.by() });
    return world.endpointCommand('whe_c', { type: 'UpdateEndpoint', changes: { eventTypes: type }, ...world.by() });
  };
  const isChange = ({ type }: ReceivedMessage) => type === 'webhook.endpoint_changed';
  const given = async () =>
    (
      await world.test.db.query<{ id: string; state: string | null; reason: string | null }>(
        `select 'evt_' || event_id as id, state, reason from delivery.delivery order by position`,
      )
    ).map(({ id, state, reason }) => [id, state === 'discarded' ? reason : 'sent']);

  it.each(['narrowed', 'deleted', 'disabled'])(
    'is given of new types what happened before it was %s',
    async (again) => {
      await change(['region.*']);
      const wanted = await world.happen('a', 2);
      await change(again === 'narrowed' ? ['account.*'] : again === 'deleted' ? 'delete' : 'disable');
      const after = await world.happen('a', 3);
      const messages = await world.fresh();
      const [first, ...later] = messages.filter(isChange);
      await worker.handle([first!]);
      expect((await given()).map(([id]) => id)).toEqual(wanted);
      await worker.handle(later);
      await worker.handle(messages.filter((message) => !isChange(message)));
      // What it took its number for while it was disabled is in the list, and goes nowhere.
      const listed = again === 'disabled' ? after : [];
      expect((await given()).slice(2)).toEqual(listed.map((id) => [id, 'disabled']));
    },
  );

  it('is taken in as it has become when its registration is not heard of at all', async () => {
    await world.register('whe_late', receiver.url('/late'), { eventTypes: ['account.*'] });
    await world.fresh();
    const changes = { eventTypes: ['region.*'] };
    await world.endpointCommand('whe_late', { type: 'UpdateEndpoint', changes, ...world.by() });
    await world.pass(worker);
    await world.live(2);
    const [happened] = await world.happen('a');
    await world.pass(worker);
    await eventually(() => expect(receiver.on('/late')).toHaveLength(1));
    expect(receiver.on('/late')[0]!.headers['webhook-id']).toBe(happened);
  });

  it('is given all of its new types, whatever else of it was changed meanwhile', async () => {
    await change(['region.*']);
    await world.endpointCommand('whe_c', {
      type: 'UpdateEndpoint',
      changes: { targetUrl: receiver.url('/moved') },
      ...world.by(),
    });
    const wanted = await world.happen('a', 3);
    await world.pass(worker);
    expect((await given()).map(([id]) => id)).toEqual(wanted);
  });

  it.each(['disable', 'delete'] as const)(
    'gets back of its enabling what happened before the next %s',
    async (closing) => {
      await change(['region.*']);
      await change('disable');
      await world.pass(worker);
      await change('enable');
      const wanted = await world.happen('a', 2);
      await change(['*']);
      const also = await world.happen('a', 1);
      await change(['account.*']);
      await world.happen('a', 1);
      await change(closing);
      await world.happen('a', 3);
      const messages = await world.fresh();
      await worker.handle(messages.filter((message) => !isChange(message)));
      expect((await given()).map(([, reason]) => reason)).toEqual(Array(7).fill('disabled'));
      const [enabling, ...later] = messages.filter(isChange);
      await worker.handle([enabling!]);
      expect((await given()).filter(([, reason]) => reason === 'sent').map(([id]) => id)).toEqual([...wanted, ...also]);
      await worker.handle(later);
      await eventually(async () =>
        expect((await given()).slice(3).every(([, reason]) => reason !== 'sent')).toBe(true),
      );
    },
  );
});
