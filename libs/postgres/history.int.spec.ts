import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '#testing';
import { Database } from './database';
import { EmbeddedServer } from './embedded/embedded-server';
import { OtherHistoryError } from './history';

describe('the history of a server', () => {
  let folder: string;
  let server: EmbeddedServer;
  let database: Database;
  let heard: number;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postledger-history-'));
    // As root the server runs as another user, who must be let in.
    chmodSync(folder, 0o755);
    server = await EmbeddedServer.start({ folder });
    heard = 0;
    database = new Database(server.url(), { onOtherHistory: () => heard++ });
    await database.query('select 1');
  });
  afterEach(async () => {
    await database.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const startAgain = async (flags: Record<string, string> = {}) => {
    const { port } = server;
    await server.stop();
    server = await EmbeddedServer.start({ folder, port, flags });
  };

  it('is the same after a restart', async () => {
    await startAgain();
    await eventually(() => database.query('select 1'));
    expect(heard).toBe(0);
  });

  it('is another one where a standby takes over, which is asked for nothing', async () => {
    // What is left of its log is all there is for it: it ends its recovery there, as a standby does that is promoted.
    writeFileSync(join(folder, 'cluster/recovery.signal'), '');
    await startAgain({ restore_command: 'false' });
    const refused = async () =>
      expect(await database.query('select 1').catch((error: unknown) => error)).toBeInstanceOf(OtherHistoryError);
    await eventually(refused);
    await expect(database.tx(async () => undefined)).rejects.toThrow(OtherHistoryError);
    expect(heard).toBeGreaterThan(0);
    const fresh = new Database(server.url());
    expect(await fresh.query('select 1 as one')).toEqual([{ one: 1 }]);
    await fresh.end();
  });
});
