import type { ServerResponse } from 'node:http';
import { eventually, Receiver } from '#testing';
import type { ReceivedMessage } from '#messaging';
import { World } from '../testing/world';
import type { DeliveryWorker } from '../worker/delivery-worker';

/** Two intakes that take what they are handed in an order nobody can foresee; messages of one key keep theirs, as on any bus. */
async function scatter(workers: readonly DeliveryWorker[], messages: readonly ReceivedMessage[]): Promise<void> {
  const byKey = new Map<string, ReceivedMessage[]>();
  for (const message of messages) byKey.set(message.key, [...(byKey.get(message.key) ?? []), message]);
  await Promise.all(
    [...byKey.values()].map(async (line) => {
      // Endpoint messages come late more often than not.
      await new Promise((later) => setTimeout(later, Math.random() * (line[0]!.type.startsWith('webhook.') ? 20 : 8)));
      const worker = workers[Math.random() < 0.5 ? 0 : 1]!;
      await worker.handle(line);
    }),
  );
}

const idsAt = (receiver: Receiver, path: string): string[] =>
  receiver.on(path).map(({ headers }) => String(headers['webhook-id']));
const sequencesAt = (receiver: Receiver, path: string): number[] =>
  receiver
    .on(path)
    .map(({ headers }) => Number(headers['webhook-sequence']))
    .sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

describe('an endpoint is a subscription to the log', () => {
  let world: World;
  let receiver: Receiver;
  let workers: DeliveryWorker[];
  beforeAll(async () => {
    [world, receiver] = await Promise.all([World.open({ max: 30 }), Receiver.open()]);
    workers = [await world.worker(), await world.worker()];
  });
  afterAll(async () => {
    await world.close();
    await receiver.close();
  });

  it('gets what happened after its registration and nothing before, once each, hundreds of times, whatever reaches delivery first', async () => {
    const expected = new Map<string, string[]>();
    for (let round = 0; round < 30; round++) {
      const names = Array.from({ length: 8 }, (_, n) => `r${round}-${n}`);
      await Promise.all(
        names.map(async (name) => {
          const workspace = `ws_${name}`;
          await world.happen('before', 1, workspace);
          await world.register(`whe_${name}`, receiver.url(`/${name}`), { eventTypes: ['region.*'] }, workspace);
          expected.set(name, [
            ...(await world.happen('one', 2, workspace)),
            ...(await world.happen('two', 1, workspace)),
          ]);
        }),
      );
      await scatter(workers, await world.fresh());
    }
    await eventually(
      () => {
        for (const [name, ids] of expected) expect(idsAt(receiver, `/${name}`).sort()).toEqual([...ids].sort());
      },
      { within: 60_000, every: 200 },
    );
    for (const name of expected.keys()) expect(sequencesAt(receiver, `/${name}`)).toEqual([1, 2, 3]);
  });

  it('is caught up by another process when the one that had begun is killed', async () => {
    const third = await world.worker();
    const workspace = 'ws_killed';
    await world.register('whe_killed', receiver.url('/killed'), { eventTypes: ['region.*'] }, workspace);
    const ids = await world.happen('long', 1_500, workspace);
    const [registration, ...events] = await world.fresh();
    const handling = third.handle([registration!]);
    await eventually(async () =>
      expect(await world.test.db.query("select 1 from delivery.endpoint where id = 'whe_killed'")).toHaveLength(1),
    );
    third.kill();
    await handling;
    await workers[0]!.handle(events);
    await eventually(() => expect(new Set(idsAt(receiver, '/killed'))).toEqual(new Set(ids)), {
      within: 60_000,
      every: 200,
    });
    expect([...new Set(sequencesAt(receiver, '/killed'))]).toEqual(upTo(1_500));
  });

  it('is caught up by processes that have not heard of it, when the one that wrote it is killed at once', async () => {
    const workspace = 'ws_unheard';
    const wanted = await world.happen('a', 250, workspace);
    await world.register(
      'whe_unheard',
      receiver.url('/unheard'),
      { eventTypes: ['region.*'], startFrom: '2020-01-01T00:00:00.000Z' },
      workspace,
    );
    const faults: Error[] = [];
    for (const other of workers) other['fault'] = (error) => void faults.push(error);
    const killed = await world.worker();
    killed.parts.directory.refresh = () => {
      killed.kill();
      return Promise.reject(new Error('the process is gone'));
    };
    await expect(world.pass(killed)).rejects.toThrow('gone');
    await eventually(() => expect(idsAt(receiver, '/unheard').sort()).toEqual([...wanted].sort()));
    expect(faults).toEqual([]);
  });

  describe('in the switch from the log to what is live', () => {
    /** The head is read once the intakes are locked out: does something right then. */
    const atTheSwitch = (act: () => Promise<void>): void => {
      const head = world.store.head.bind(world.store);
      world.store.head = async () => {
        world.store.head = head;
        const position = await head();
        await act();
        return position;
      };
    };

    it('loses nothing that happens meanwhile: whoever takes it in waits', async () => {
      const workspace = 'ws_becoming';
      let taking: Promise<void> | undefined;
      let taken = false;
      atTheSwitch(async () => {
        await world.happen('a', 1, workspace);
        const messages = await world.fresh();
        taking = workers[1]!.handle(messages).then(() => void (taken = true));
        const waiting = "select 1 from pg_locks where locktype = 'advisory' and mode = 'ShareLock' and not granted";
        await eventually(async () => expect(taken || (await world.test.db.query(waiting)).length > 0).toBe(true));
      });
      await world.register('whe_becoming', receiver.url('/becoming'), { eventTypes: ['region.*'] }, workspace);
      await world.pass(workers[0]!);
      await eventually(() => expect(sequencesAt(receiver, '/becoming')).toEqual([1]));
      await taking;
    });

    it('goes by a change that happens meanwhile', async () => {
      const workspace = 'ws_changing';
      const head = world.store.head.bind(world.store);
      world.store.head = async () => {
        world.store.head = head;
        const changes = { eventTypes: ['account.*'] };
        await world.endpointCommand('whe_changing', { type: 'UpdateEndpoint', changes, ...world.by() }, workspace);
        await world.happen('a', 1, workspace);
        return head();
      };
      await world.register('whe_changing', receiver.url('/changing'), { eventTypes: ['region.*'] }, workspace);
      const wanted = await world.happen('a', 1, workspace);
      await world.pass(workers[0]!);
      await eventually(async () =>
        expect(
          await world.test.db.query("select 1 from delivery.endpoint where id = 'whe_changing' and phase = 'live'"),
        ).toHaveLength(1),
      );
      await world.pass(workers[0]!);
      const rows = await world.test.db.query(
        "select d.message_id from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint where e.id = 'whe_changing'",
      );
      expect(rows).toEqual(wanted.map((id) => ({ message_id: id.slice(4) })));
    });

    it('is switched by another process when the one that was about to is killed', async () => {
      const workspace = 'ws_becoming_later';
      const killed = await world.worker();
      const wanted = await world.happen('a', 3, workspace);
      const startFrom = '2020-01-01T00:00:00.000Z';
      let isKilled = false;
      atTheSwitch(() => {
        killed.kill();
        isKilled = true;
        return Promise.reject(new Error('the process is gone'));
      });
      await world.register(
        'whe_becoming_later',
        receiver.url('/becoming_later'),
        { eventTypes: ['region.*'], startFrom },
        workspace,
      );
      await world.pass(killed);
      const later = await world.happen('a', 2, workspace);
      await scatter(workers, await world.fresh());
      await eventually(() => expect(idsAt(receiver, '/becoming_later').sort()).toEqual([...wanted, ...later].sort()));
      expect(isKilled).toBe(true);
      expect(sequencesAt(receiver, '/becoming_later')).toEqual(upTo(5));
    });
  });

  it('gets what waits for it from processes that have not heard of it', async () => {
    const workspace = 'ws_waits';
    const silent = await world.worker();
    silent['engines'].wake.send = () => undefined;
    silent.parts.retries.stop();
    receiver.script('/waits', 500);
    await world.register('whe_waits', receiver.url('/waits'), { eventTypes: ['region.*'] }, workspace);
    await world.happen('a', 1, workspace);
    await world.pass(silent);
    await eventually(() => expect(receiver.on('/waits')).toHaveLength(2));
    await silent.stop();
  });

  it('begins in the past where it asked to, with the same ids and bytes as one that was there', async () => {
    const workspace = 'ws_past';
    await world.register('whe_there', receiver.url('/there'), { eventTypes: ['region.*'] }, workspace);
    await scatter(workers, await world.fresh());
    const first = await world.happen('a', 30, workspace);
    const middle = new Date().toISOString();
    await new Promise((tick) => setTimeout(tick, 2));
    const second = await world.happen('b', 30, workspace);
    await world.register(
      'whe_all',
      receiver.url('/all'),
      { eventTypes: ['region.*'], startFrom: '2020-01-01T00:00:00.000Z' },
      workspace,
    );
    await world.register('whe_time', receiver.url('/time'), { eventTypes: ['region.*'], startFrom: middle }, workspace);
    await world.register(
      'whe_event',
      receiver.url('/event'),
      { eventTypes: ['region.*'], startFrom: first[9]! },
      workspace,
    );
    const third = await world.happen('a', 5, workspace);
    await scatter(workers, await world.fresh());
    const sent = (path: string) =>
      receiver
        .on(path)
        .map(({ body }) => body)
        .sort();
    await eventually(() => {
      expect(idsAt(receiver, '/there').sort()).toEqual([...first, ...second, ...third].sort());
      expect(sent('/all')).toEqual(sent('/there'));
      expect(idsAt(receiver, '/time').sort()).toEqual([...second, ...third].sort());
      expect(idsAt(receiver, '/event').sort()).toEqual([...first.slice(10), ...second, ...third].sort());
    });
    const numbered = await world.test.db.query(
      "select array_agg(d.position order by d.sequence) = array_agg(d.position order by d.position) as inorder from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint where e.id = 'whe_all'",
    );
    expect(numbered).toEqual([{ inorder: true }]);
  });

  it('follows a change of its types from the moment of the change, also when the change is heard of late', async () => {
    const workspace = 'ws_types';
    await world.register('whe_types', receiver.url('/types'), { eventTypes: ['account.*', 'webhook.test'] }, workspace);
    await scatter(workers, await world.fresh());
    await world.happen('a', 3, workspace);
    await world.endpointCommand(
      'whe_types',
      { type: 'UpdateEndpoint', changes: { eventTypes: ['region.*'] }, ...world.by() },
      workspace,
    );
    const wanted = await world.happen('a', 3, workspace);
    const messages = await world.fresh();
    await workers[0]!.handle(messages.filter(({ type }) => type.startsWith('region.')));
    expect(receiver.on('/types')).toEqual([]);
    await workers[1]!.handle(messages.filter(({ type }) => !type.startsWith('region.')));
    wanted.push(...(await world.happen('a', 2, workspace)));
    await scatter(workers, [...(await world.fresh()), ...messages]);
    await eventually(() => expect(idsAt(receiver, '/types').sort()).toEqual([...wanted].sort()));
  });

  it('follows disabling and enabling from the moment of each, heard of late and together', async () => {
    const workspace = 'ws_switch';
    await world.register('whe_switch', receiver.url('/switch'), { eventTypes: ['region.*'] }, workspace);
    await scatter(workers, await world.fresh());
    const wanted = await world.happen('a', 2, workspace);
    await scatter(workers, await world.fresh());
    await eventually(() => expect(receiver.on('/switch')).toHaveLength(2));
    await world.endpointCommand('whe_switch', { type: 'DisableEndpoint', reason: 'manual', ...world.by() }, workspace);
    await workers[0]!.handle(await world.fresh());
    await world.happen('a', 2, workspace);
    await world.endpointCommand('whe_switch', { type: 'EnableEndpoint', ...world.by() }, workspace);
    wanted.push(...(await world.happen('a', 2, workspace)));
    const messages = await world.fresh();
    await workers[0]!.handle(messages.filter(({ type }) => type.startsWith('region.')));
    await workers[1]!.handle(messages.filter(({ type }) => !type.startsWith('region.')));
    await eventually(() => expect(idsAt(receiver, '/switch').sort()).toEqual([...wanted].sort()));
    expect(sequencesAt(receiver, '/switch')).toEqual([1, 2, 5, 6]);
  });

  it.each([
    { reason: 'manual', ordered: false },
    { reason: 'gone', ordered: false },
    { reason: 'gone', ordered: true },
  ] as const)(
    'gets what happened after it was enabled although it is given up after the enabling is known: %o',
    async ({ reason, ordered }) => {
      const name = `late-${reason}-${ordered}`;
      const [worker, workspace, other] = [workers[0]!, `ws_${name}`, `ws_other_${name}`];
      const held: ServerResponse[] = [];
      for (const path of [`/${name}`, `/other-${name}`])
        receiver.always(path, (_, response) => void held.push(response));
      await world.register(`whe_${name}`, receiver.url(`/${name}`), { eventTypes: ['region.*'], ordered }, workspace);
      await world.register(`whe_other_${name}`, receiver.url(`/other-${name}`), { eventTypes: ['region.*'] }, other);
      await worker.handle(await world.fresh());
      await eventually(async () =>
        expect(await world.test.db.query("select 1 from delivery.endpoint where phase = 'catching_up'")).toEqual([]),
      );
      await world.happen('a', 1, other);
      await worker.handle(await world.fresh());
      await eventually(() => expect(held).toHaveLength(1));
      await world.endpointCommand(`whe_${name}`, { type: 'DisableEndpoint', reason, ...world.by() }, workspace);
      await world.endpointCommand(`whe_${name}`, { type: 'EnableEndpoint', ...world.by() }, workspace);
      const changes = await world.fresh();
      const wanted: string[] = [];
      for (const entity of ['a', 'b', 'c', 'd', 'e']) wanted.push(...(await world.happen(entity, 2, workspace)));
      await worker.handle(await world.fresh());
      await eventually(() => expect(held).toHaveLength(3));
      await world.test.db.tx(async (sql) => {
        // What the worker decides from here on is not written before the changes are.
        await sql.query(
          'select from delivery.delivery d join delivery.endpoint e on e.no = d.endpoint where e.workspace = $1 for update of d',
          [other],
        );
        held.shift()!.writeHead(500).end();
        await eventually(async () =>
          expect(
            await world.test.db.query(
              "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
            ),
          ).not.toEqual([]),
        );
        await worker.handle(changes);
      });
      for (const path of [`/${name}`, `/other-${name}`]) receiver.always(path, 204);
      held.forEach((response) => response.writeHead(204).end());
      await eventually(() => expect(idsAt(receiver, `/${name}`).sort()).toEqual([...wanted].sort()));
      if (!ordered) return;
      for (let n = 0; n < wanted.length; n += 2)
        expect(idsAt(receiver, `/${name}`).filter((id) => wanted.indexOf(id) >> 1 === n >> 1)).toEqual(
          wanted.slice(n, n + 2),
        );
    },
  );

  it('never hears of itself, nor of another workspace', async () => {
    const workspace = 'ws_self';
    for (const name of ['self', 'other'])
      await world.register(`whe_${name}`, receiver.url(`/${name}`), { eventTypes: ['webhook.*'] }, workspace);
    await world.register('whe_else', receiver.url('/else'), { eventTypes: ['*'] }, 'ws_else');
    await scatter(workers, await world.fresh());
    await world.endpointCommand('whe_self', { type: 'DisableEndpoint', reason: 'manual', ...world.by() }, workspace);
    await world.endpointCommand('whe_self', { type: 'EnableEndpoint', ...world.by() }, workspace);
    await scatter(workers, await world.fresh());
    await eventually(() => expect(receiver.on('/other')).toHaveLength(1));
    expect([receiver.on('/self'), receiver.on('/else')]).toEqual([[], []]);
  });
});
