import { eventually, type Receiver } from '#testing';
import type { Client } from './client';
import { expectNothingLost, Ledger } from './ledger';

const WRITERS = 4;

/** Strikes while commands come; after each, nothing may be lost, doubled, changed, out of order or left out. */
export class UnderLoad {
  readonly ledger = new Ledger();
  private round = 0;

  constructor(
    private readonly client: Client,
    private readonly account: string,
    private readonly receiver: Receiver,
    /** Path of an endpoint that takes `post.*`. */
    private readonly hook: string,
  ) {}

  /** Waits until so many more commands were accepted. */
  more(count: number, within = 120_000): Promise<unknown> {
    const before = this.ledger.acknowledged.length;
    return eventually(() => expect(this.ledger.acknowledged.length).toBeGreaterThan(before + count), { within });
  }

  /** Commands before, during and after the strike; then the ledger is held against the receiver. */
  async strike(work: () => Promise<void>): Promise<void> {
    let isOver = false;
    const round = ++this.round;
    const writers = Array.from({ length: WRITERS }, (_, n) =>
      this.ledger.write(this.client, this.account, `round${round}_${n}`, () => isOver, { cancels: true }),
    );
    try {
      await this.more(40);
      await work();
      await this.more(40);
    } finally {
      isOver = true;
      await Promise.all(writers);
    }
    await expectNothingLost(this.ledger, () => this.receiver.on(this.hook));
  }
}
