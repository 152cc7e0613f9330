import { freePort } from '#postgres';
import { eventually } from '#testing';
import { Program } from './program';

const SHARED = {
  POSTLEDGER_MODE: 'sandbox',
  POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 3).toString('base64'),
  RETRY_SCALE: '0.01',
  LOG_LEVEL: 'warn',
};

export type AppName = 'api' | 'projector' | 'delivery' | 'publisher';

/** One app as a process of its own, as in production: engines come from its environment. */
export class App {
  private constructor(
    readonly name: AppName,
    readonly program: Program,
    readonly url: string,
  ) {}

  static async start(name: AppName, env: Record<string, string>): Promise<App> {
    const port = await freePort();
    const program = Program.start([`dist/apps/${name}/main.js`], { ...SHARED, ...env, PORT: String(port) });
    return new App(name, program, `http://127.0.0.1:${port}`);
  }

  /** Waits until it says that it can work; rejects with what it said when it ends instead. */
  ready(within = 40_000): Promise<void> {
    return eventually(
      async () => {
        if (!this.program.isAlive) throw new Error(this.program.lines.join('\n'));
        expect((await fetch(`${this.url}/health/ready`)).status).toBe(200);
      },
      { within, every: 50 },
    ).then(() => undefined);
  }

  /** SIGKILL, and the end of it. */
  async kill(): Promise<void> {
    this.program.kill();
    await this.program.ended;
  }
}
