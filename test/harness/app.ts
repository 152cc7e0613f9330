import { eventually, ownPort } from '#testing';
import { Program } from './program';

const SHARED = {
  POSTLEDGER_MODE: 'sandbox',
  POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 3).toString('base64'),
  RETRY_SCALE: '0.01',
  LOG_LEVEL: 'warn',
};

/**
 * A statement to the database at which an app dies: the first that holds the text, before it is sent or when its answer is here; or
 * at which it freezes, in the middle of the transaction.
 */
export type Point = readonly [when: 'before' | 'after' | 'frozen', text: string];

export type AppName = 'api' | 'projector' | 'delivery' | 'publisher';

/** One app as a process of its own, as in production: engines come from its environment. */
export class App {
  private constructor(
    readonly name: AppName,
    readonly program: Program,
    readonly url: string,
  ) {}

  /** With `dieAt` it kills itself there, once it is armed. */
  static async start(name: AppName, env: Record<string, string>, dieAt?: Point): Promise<App> {
    const port = await ownPort();
    const [when, text] = dieAt ?? [];
    const program = Program.start(
      [...(dieAt ? ['-r', './test/harness/die-at.cjs'] : []), `dist/apps/${name}/main.js`],
      {
        ...SHARED,
        ...env,
        PORT: String(port),
        ...(dieAt && { DIE_AT: JSON.stringify({ when, text }) }),
      },
    );
    return new App(name, program, `http://127.0.0.1:${port}`);
  }

  /** From now on it dies where it was told to. */
  async arm(): Promise<void> {
    this.program.signal('SIGUSR2');
    await this.program.line(/^armed$/);
  }

  /** Waits until it says that it can work; rejects with what it said when it ends instead. */
  ready(within = 90_000): Promise<void> {
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
