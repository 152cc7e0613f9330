import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyCluster, ownPort, removeFolder } from '#testing';
import { Client } from './client';
import { Program } from './program';

export const KEY = 'test_key_of_the_first_workspace_0123456789';

/** `npm start -- --empty`, built, on a folder and a port of its own. */
export class Standalone {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'postledger-run-'));
  program!: Program;
  url = '';
  private port: string | undefined;

  private constructor(private readonly env: Record<string, string | undefined>) {}

  static async start(env: Record<string, string | undefined> = {}): Promise<Standalone> {
    const standalone = new Standalone(env);
    copyCluster(process.env['TEST_CLUSTER']!, join(standalone.dataDir, 'postgres'));
    await standalone.start();
    return standalone;
  }

  /** Starts, or starts again on the same data and port. */
  async start(args: readonly string[] = ['--empty']): Promise<void> {
    this.port ??= String(await ownPort());
    this.program = Program.start(['dist/apps/standalone/main.js', ...args], {
      DATA_DIR: this.dataDir,
      PORT: this.port,
      POSTLEDGER_API_KEY: KEY,
      RETRY_SCALE: '0.01',
      ...this.env,
    });
    const [, url] = await this.program.line(/API\s+(http:\/\/\S+)\/api\/v1/);
    this.url = url!;
    this.port = new URL(url!).port;
  }

  client(key: string = this.env['POSTLEDGER_API_KEY'] ?? KEY): Client {
    return new Client(() => this.url, key);
  }

  /** Process id of the embedded PostgreSQL. */
  get databasePid(): number {
    return Number(readFileSync(join(this.dataDir, 'postgres/cluster/postmaster.pid'), 'utf8').split('\n')[0]);
  }

  /** SIGKILL of everything, database included. */
  async killAll(): Promise<void> {
    const database = this.databasePid;
    this.program.kill();
    process.kill(database, 'SIGKILL');
    await this.program.ended;
  }

  /** Drains, ends, and leaves nothing behind. */
  async remove(): Promise<void> {
    if (this.program.isAlive) await this.program.stop();
    removeFolder(this.dataDir);
  }
}
