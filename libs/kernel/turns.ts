import { Semaphore } from './semaphore';

/** Lets at most so many pieces of work of each key run at once; what else one has to do waits in line, and holds up no other. */
export class Turns {
  private readonly lines = new Map<string, { readonly gate: Semaphore; members: number }>();

  constructor(private readonly atOnce: number) {}

  /** What `work` comes to, once `key` has a turn for it. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const line = this.lines.get(key) ?? { gate: new Semaphore(this.atOnce), members: 0 };
    this.lines.set(key, line);
    line.members++;
    try {
      return await line.gate.run(work);
    } finally {
      if (--line.members === 0) this.lines.delete(key);
    }
  }
}
