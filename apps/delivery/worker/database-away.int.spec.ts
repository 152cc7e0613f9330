import type { ServerResponse } from 'node:http';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, EmbeddedServer, migrate } from '#postgres';
import { eventually, Receiver, removeFolder } from '#testing';
import { World } from '../testing/world';

const WAVE = 40;

/** Lets functions begin only when a condition holds. */
const afterwards =
  (condition: () => Promise<unknown>) =>
  <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
  async (...args: A): Promise<R> => {
    await condition();
    return work(...args);
  };

describe('PostgreSQL stopped for some seconds while deliveries are under way', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-away-'));
  let server: EmbeddedServer;
  let world: World;
  let receiver: Receiver;
  beforeAll(async () => {
    [server, receiver] = await Promise.all([EmbeddedServer.start({ folder }), Receiver.open()]);
    await server.ensureDatabase('away');
    const db = new Database(server.url('away'), { max: 20 });
    await migrate(db);
    world = await World.open({
      retryScale: 0.02,
      database: { db, url: server.url('away'), drop: () => db.end() },
    });
  });
  afterAll(async () => {
    await world.close();
    await receiver.close();
    await server.stop();
    removeFolder(folder);
  });

  const idsAndBytes = (sequence: number) =>
    receiver
      .on('/a')
      .filter(({ headers }) => headers['webhook-sequence'] === String(sequence))
      .map(({ headers, body }) => `${String(headers['webhook-id'])} ${body}`);

  it('loses nothing, gives nothing a second id, and two workers go on by themselves without taking each other for dead', async () => {
    const [first, second] = [await world.worker(), await world.worker()];
    await world.register('whe_a', receiver.url('/a'), { eventTypes: ['region.*'] });
    await world.pass(first);
    await world.live(1);
    const wave = async () => {
      await world.happen('a', WAVE);
      return world.fresh();
    };
    // Some are answered and recorded, some are answered while nothing can be recorded, some wait in memory.
    const [one, two, late] = [await wave(), await wave(), await wave()];
    const held: ServerResponse[] = [];
    let quick = WAVE / 2;
    receiver.always('/a', (_, response) => {
      if (quick-- > 0) response.writeHead(204).end();
      else held.push(response);
    });
    await Promise.all([first.handle(one), second.handle(two)]);
    await eventually(() => expect(held.length).toBeGreaterThan(4));
    const { port } = server;
    await server.stop();
    expect(receiver.on('/a').length).toBeLessThan(2 * WAVE);
    held.splice(0).forEach((response) => response.writeHead(204).end());
    await expect(first.handle(late)).rejects.toThrow(/connect|terminat|shut/i);
    await eventually(() => expect([first, second].map(({ parts }) => parts.presence.isSure)).toEqual([false, false]));
    const { parts } = await second['engines'].health.ready();
    expect(parts['delivery']).toMatchObject({ ok: false, detail: expect.stringContaining('Nothing is sent') });
    const sent = receiver.on('/a').length;
    await expect(second.handle(late)).rejects.toThrow(/connect|terminat|shut/i);
    // Whoever cannot be sure that a delivery is still its own does not begin to send it.
    expect(receiver.on('/a')).toHaveLength(sent);
    // The second is slower to notice that the database is back: the first has every reason to take it for dead.
    const look = first.parts.presence['reap'].bind(first.parts.presence);
    let looked = false;
    first.parts.presence['reap'] = async () => {
      await look();
      looked = true;
    };
    const slow = afterwards(() => eventually(() => looked));
    const { presence, recorder } = second.parts;
    presence['beat'] = slow(presence['beat'].bind(presence));
    recorder['writeOnce'] = slow(recorder['writeOnce'].bind(recorder));
    server = await EmbeddedServer.start({ folder, port });
    quick = Infinity;
    held.splice(0).forEach((response) => response.writeHead(204).end());
    await eventually(() => second.handle(late), { every: 100 });
    await first.handle(late);

    const all = Array.from({ length: 3 * WAVE }, (_, n) => n + 1);
    await eventually(() => expect(all.filter((sequence) => idsAndBytes(sequence).length === 0)).toEqual([]), {
      within: 60_000,
    });
    for (const sequence of all) expect(idsAndBytes(sequence)).toHaveLength(1);
    expect(new Set(receiver.on('/a').map(({ headers }) => headers['webhook-id'])).size).toBe(3 * WAVE);
    await eventually(
      async () => {
        expect(
          await world.test.db.query(
            "select 1 from delivery.delivery where delivery.status_of(id, state) <> 'delivered'",
          ),
        ).toEqual([]);
        expect(
          await world.test.db.query('select 1 from delivery.lease union all select 1 from delivery.retry'),
        ).toEqual([]);
        expect(await world.test.db.query('select 1 from delivery.worker')).toHaveLength(2);
      },
      { within: 60_000 },
    );
  });
});
