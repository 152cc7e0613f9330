import { setImmediate } from 'node:timers/promises';

/**
 * Lets concurrent requests travel together: what is asked for while one batch is under way leaves in the next.
 * One batch is in flight at a time.
 */
export class Batcher<Request, Answer> {
  private waiting: Waiting<Request, Answer>[] = [];
  private busy = false;

  /**
   * `collect` begins a batch and says of each request in line whether it may join (the first always may); what may not
   * stays in line. `send` settles each member itself, or rejects for those that are left.
   */
  constructor(
    private readonly collect: () => (request: Request) => boolean,
    private readonly send: (batch: readonly Waiting<Request, Answer>[]) => Promise<void>,
  ) {}

  ask(request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ request, resolve, reject });
      if (!this.busy) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
      // Callers that were woken by the same input, or by the batch before, get to ask before this one leaves.
      await setImmediate();
      const batch = this.next();
      try {
        await this.send(batch);
      } catch (error) {
        for (const { reject } of batch) reject(error as Error);
      }
    }
    this.busy = false;
  }

  private next(): Waiting<Request, Answer>[] {
    const fits = this.collect();
    const batch: Waiting<Request, Answer>[] = [];
    const left: Waiting<Request, Answer>[] = [];
    for (const one of this.waiting) (fits(one.request) || batch.length === 0 ? batch : left).push(one);
    this.waiting = left;
    return batch;
  }
}

export interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}
