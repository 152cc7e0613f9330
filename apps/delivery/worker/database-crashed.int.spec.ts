import { mkdtempSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, EmbeddedServer, migrate } from '#postgres';
import { eventually, Receiver, removeFolder } from '#testing';
import { World } from '../testing/world';

describe('PostgreSQL that crashes while deliveries are under way', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-crashed-'));
  let server: EmbeddedServer;
  let db: Database;
  let world: World;
  let receiver: Receiver;
  beforeAll(async () => {
    [server, receiver] = await Promise.all([
      // What nobody waits for stays in memory, so that the crash takes it for sure.
      EmbeddedServer.start({
        folder,
        flags: { wal_writer_delay: '10s', wal_writer_flush_after: '1GB', autovacuum: 'off' },
      }),
      Receiver.open(),
    ]);
    await server.ensureDatabase('crashed');
    db = new Database(server.url('crashed'), { max: 20 });
    await migrate(db);
    world = await World.open({ retryScale: 1, database: { db, url: server.url('crashed'), drop: () => db.end() } });
  });
  afterAll(async () => {
    await world.close();
    await receiver.close();
    await server.stop();
    removeFolder(folder);
  });

  async function walWriter(): Promise<number> {
    const [row] = await db.query<{ pid: number }>("select pid from pg_stat_activity where backend_type = 'walwriter'");
    return row!.pid;
  }

  it('tries again what it has forgotten that it was to try again, though the rest of its batch went well afterwards', async () => {
    const worker = await world.worker();
    const { presence, recorder } = worker.parts;
    await world.register('whe_a', receiver.url('/a'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(1);
    const held: ServerResponse[] = [];
    receiver.always('/a', (_, response) => void held.push(response));
    await world.happen('a');
    await world.happen('b');
    await world.pass(worker);
    await eventually(() => expect(held).toHaveLength(2));
    // A heartbeat is waited for until it is on the disk, and with it all before it.
    const heartbeats = jest.spyOn(presence as unknown as { beat(): Promise<void> }, 'beat').mockResolvedValue();
    const killed = await walWriter();
    process.kill(killed, 'SIGSTOP');
    const attempts = () => db.query('select ok from delivery.attempt');
    held[0]!.writeHead(500).end();
    await eventually(async () => expect(await attempts()).toEqual([{ ok: false }]));
    process.kill(killed, 'SIGKILL');
    await eventually(async () => expect(await walWriter()).not.toBe(killed), { within: 60_000 });
    expect(await attempts()).toEqual([]);
    // The other one's outcome comes before anybody has noticed.
    receiver.always('/a', 204);
    held[1]!.writeHead(204).end();
    await eventually(async () => expect(await attempts()).toEqual([{ ok: true }]));
    await recorder.flush();
    heartbeats.mockRestore();
    void presence['beat']();
    await eventually(async () =>
      expect(
        await db.query("select sequence from delivery.delivery where delivery.status_of(id, state) <> 'delivered'"),
      ).toEqual([]),
    );
    const [first, second, ...again] = receiver.on('/a').map(({ headers }) => headers['webhook-sequence']);
    expect(again).toEqual([first]);
    expect(second).not.toBe(first);
  });
});
