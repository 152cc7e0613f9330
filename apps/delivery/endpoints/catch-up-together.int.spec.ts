import type { EventStore, ReadAllOptions } from '#event-store';
import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';
import { catchUpTogether } from './catch-up-together';

/** What a page takes from a node elsewhere, and so long that a slow machine has heard of most endpoints when a walk ends. */
const PAGE_MS = 120;

/** Counts what is read of a log that has no index by workspace, as EventStoreDB has none. */
class Counted {
  events = 0;

  readonly as = (store: EventStore): EventStore => {
    const readAll = async ({ workspace, ...options }: ReadAllOptions) => {
      await new Promise((come) => setTimeout(come, PAGE_MS));
      if (workspace === undefined) {
        const batch = await store.readAll(options);
        this.events += batch.events.length;
        return batch;
      }
      const { events, position } = await store.readAll({ ...options, limit: 1_000_000 });
      this.events += events.length;
      const own = events.filter((event) => event.metadata.workspace === workspace);
      const taken = own.slice(0, options.limit);
      return { events: taken, position: taken.length < options.limit ? position : taken.at(-1)!.position };
    };
    return Object.assign(Object.create(store) as EventStore, { byWorkspace: false, readAll });
  };
}

describe('endpoints on a log that must be read whole', () => {
  const counted = new Counted();
  let world: World;
  let receiver: Receiver;
  beforeAll(async () => {
    [world, receiver] = await Promise.all([World.open({ max: 30, as: counted.as }), Receiver.open()]);
  });
  afterAll(async () => {
    await world.close();
    await receiver.close();
  });

  const requests = (path: string) =>
    receiver
      .on(path)
      .map(({ headers }) => ({ id: headers['webhook-id'], sequence: Number(headers['webhook-sequence']) }))
      .sort((a, b) => a.sequence - b.sequence);

  it('are caught up together: a hundred that are far behind read it a few times, not a hundred times', async () => {
    const expected = new Map<string, string[]>();
    const workspaces = Array.from({ length: 50 }, (_, n) => `ws_${n}`);
    const happen = async (workspace: string, entity: string) => {
      const ids = await world.happen(entity, 4, workspace);
      for (const [path, all] of expected) if (path.startsWith(`/${workspace}-`)) all.push(...ids);
    };
    const register = async (workspace: string, name: string) => {
      const path = `/${workspace}-${name}`;
      await world.register(`whe_${name}`, receiver.url(path), { eventTypes: ['region.*'] }, workspace);
      expected.set(path, []);
    };
    for (const workspace of workspaces) await register(workspace, 'early');
    for (const workspace of workspaces) await happen(workspace, 'one');
    for (const workspace of workspaces) await register(workspace, 'late');
    for (const workspace of workspaces) await happen(workspace, 'two');
    // Its own changes meet it where they stand in the log.
    const changed = { type: 'UpdateEndpoint', changes: { eventTypes: ['account.*'] } } as const;
    await world.endpointCommand('whe_late', { ...changed, ...world.by() }, 'ws_7');
    const unwanted = expected.get('/ws_7-late')!.length;
    await happen('ws_7', 'three');
    expected.get('/ws_7-late')!.length = unwanted;

    const messages = await world.fresh();
    const log = counted.events;
    counted.events = 0;
    const worker = await world.worker();
    await worker.handle(messages);
    await eventually(
      () => {
        for (const [path, ids] of expected)
          expect([path, requests(path)]).toEqual([path, ids.map((id, n) => ({ id, sequence: n + 1 }))]);
      },
      { within: 90_000, every: 100 },
    );
    expect(expected.size).toBe(100);
    // How often depends on how long each waits for the others: some ten times, and 140 times if each walked alone.
    expect(counted.events).toBeLessThan(60 * log);

    await happen('ws_3', 'four');
    await world.pass(worker);
    await eventually(() => expect(requests('/ws_3-late')).toHaveLength(8));
  });

  it('go by their changes that stand far before what they change', async () => {
    await world.register('whe_widened', receiver.url('/widened'), { eventTypes: ['account.*'] }, 'ws_w');
    const changes = { eventTypes: ['region.*'] };
    await world.endpointCommand('whe_widened', { type: 'UpdateEndpoint', changes, ...world.by() }, 'ws_w');
    await world.happen('far', 1_100, 'ws_far');
    const wanted = await world.happen('a', 1, 'ws_w');
    await world.pass(await world.worker());
    await eventually(() => expect(requests('/widened')).toEqual([{ id: wanted[0], sequence: 1 }]));
  });

  it('miss nothing of what could not be written at first, and keep nobody back', async () => {
    const { db } = world.test;
    const wanted: string[][] = [];
    for (const name of ['kept', 'free'])
      await world.register(`whe_${name}`, receiver.url(`/${name}`), { eventTypes: ['region.*'] }, `ws_${name}`);
    for (const name of ['kept', 'free']) wanted.push(await world.happen('a', 3, `ws_${name}`));
    await db.script(
      `create function unwritable() returns trigger language plpgsql as $$ begin
         if exists (select from delivery.endpoint e where e.no = new.endpoint and e.id = 'whe_kept') then raise 'not now'; end if;
         return new;
       end $$;
       create trigger unwritable before insert on delivery.delivery for each row execute function unwritable()`,
    );
    await world.pass(await world.worker());
    await eventually(() => expect(requests('/free').map(({ id }) => id)).toEqual(wanted[1]));
    expect(requests('/kept')).toEqual([]);
    await db.script('drop trigger unwritable on delivery.delivery');
    await eventually(() => expect(requests('/kept').map(({ id }) => id)).toEqual(wanted[0]));
  });

  it('stop where they are with their process, and none goes back', async () => {
    const own = await World.open({ as: counted.as });
    const worker = await own.worker();
    const { catchUps } = worker.parts;
    await catchUps.stop();
    await own.register('whe_behind', receiver.url('/behind'), {}, 'ws_behind');
    await own.happen('far', 1_100, 'ws_far');
    const cursor = await own.register('whe_ahead', receiver.url('/ahead'), {}, 'ws_ahead');
    await own.pass(worker);
    counted.events = 0;
    await catchUpTogether({ ...catchUps['needs'], isStopped: () => counted.events > 0 }, [1, 2]);
    const read = counted.events;
    const rows = await own.test.db.query('select phase, cursor from delivery.endpoint order by no');
    await own.close();
    expect(read).toBe(1_000);
    expect(rows).toEqual([
      { phase: 'catching_up', cursor: expect.any(Number) },
      { phase: 'catching_up', cursor },
    ]);
  });
});
