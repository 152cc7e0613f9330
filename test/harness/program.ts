import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

export const ROOT = join(__dirname, '../..');

/** A program of ours as a child process: its lines are kept, its end is awaited, nothing survives the test. */
export class Program {
  readonly lines: string[] = [];
  /** Its end, when all that it said is in `lines`. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  private readonly hearers = new Set<() => void>();
  private exit: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  /** A process is gone before all that it said has been read. */
  private isRead = false;

  private constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout!, child.stderr!]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop()!;
        this.lines.push(...parts);
        for (const hear of this.hearers) hear();
      });
    }
    child.once('exit', (code, signal) => (this.exit = { code, signal }));
    this.ended = new Promise((done) =>
      child.once('close', () => {
        this.isRead = true;
        done(this.exit!);
        for (const hear of this.hearers) hear();
      }),
    );
  }

  /** Starts `node <args>`, or another `command`, in a process group of its own. */
  static start(
    args: readonly string[],
    env: Record<string, string | undefined>,
    [command, ...first]: readonly string[] = [process.execPath],
  ): Program {
    const { PATH, HOME, LANG } = process.env;
    const child = spawn(command!, [...first, ...args], {
      cwd: ROOT,
      env: { PATH, HOME, LANG, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    return new Program(child);
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isAlive(): boolean {
    return this.exit === undefined;
  }

  /** The first line, past or to come, that matches; rejects with what was said when the program ends or `within` ms pass. */
  line(pattern: RegExp, within = 100_000): Promise<RegExpExecArray> {
    return new Promise((done, fail) => {
      const end = (act: () => void) => {
        clearTimeout(timer);
        this.hearers.delete(look);
        act();
      };
      const say = (why: string) =>
        new Error(`${why} without a line like ${pattern}:\n${this.lines.slice(-40).join('\n')}`);
      const look = () => {
        for (const line of this.lines) {
          const found = pattern.exec(line);
          if (found) return end(() => done(found));
        }
        if (this.isRead) end(() => fail(say(`ended with ${this.exit!.code ?? this.exit!.signal}`)));
      };
      const timer = setTimeout(() => end(() => fail(say(`${within} ms passed`))), within);
      this.hearers.add(look);
      look();
    });
  }

  signal(name: NodeJS.Signals): void {
    if (this.isAlive) this.child.kill(name);
  }

  /** SIGTERM, and SIGKILL of the whole group when that takes over 40 s. */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.kill(), 40_000);
    const { code } = await this.ended;
    clearTimeout(timer);
    return code;
  }

  /** SIGKILL of the whole process group: no time to say goodbye. */
  kill(): void {
    if (!this.isAlive) return;
    process.kill(-this.pid, 'SIGKILL');
  }
}
