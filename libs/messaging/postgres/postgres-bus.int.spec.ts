import { Database } from '#postgres';
import { testDatabase } from '#testing';
import { busConformance } from '../conformance/bus.conformance';
import { tcpProxy, type TcpProxy } from '../conformance/tcp-proxy';
import { PostgresBus } from './postgres-bus';

busConformance('PostgresBus', async () => {
  const test = await testDatabase();
  const url = new URL(test.url);
  const doors = new Map<PostgresBus, { db: Database; door: TcpProxy }>();
  const shut: (() => Promise<void>)[] = [];
  return {
    async open() {
      const door = await tcpProxy(url.hostname, Number(url.port));
      const behind = new URL(url);
      behind.hostname = '127.0.0.1';
      behind.port = String(door.port);
      const db = new Database(behind.href, { max: 4 });
      // Longer than a busy machine keeps a member waiting: one that is missed gets its messages twice.
      const bus = new PostgresBus(db, { leaseMs: 5_000, heartbeatMs: 400 });
      doors.set(bus, { db, door });
      shut.push(async () => {
        await bus.close();
        await db.end();
        await door.close();
      });
      return bus;
    },
    kill: (bus) => doors.get(bus as PostgresBus)?.door.shut(),
    cut: () => doors.forEach(({ door }) => door.cut()),
    async close() {
      await Promise.all(shut.map((end) => end()));
      await test.drop();
    },
  };
});
