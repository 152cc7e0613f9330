import { newest, PAGE_SIZE } from '#kernel';
import { partitionOf, type Published } from '../outbox/outbox';
import type { ReceivedMessage } from '../port/bus';

/** What is left when there are twice as many, or they are as large as a page. */
const KEPT = { count: 4_000, size: PAGE_SIZE / 2 };

/**
 * The newest stretch of the bus as far as this process wrote it itself, without a gap and within one life of the server: its own
 * consumers need not ask the database for it.
 */
export class RecentMessages {
  private messages: ReceivedMessage[] = [];
  private characters = 0;
  private incarnation = '';

  /** Position of the newest message kept; 0 for none. */
  get newest(): number {
    return this.messages.at(-1)?.offset ?? 0;
  }

  /** Adds what was committed. A hole before it, or another life of the server, makes what came earlier useless. */
  add({ messages, last, incarnation }: Published): void {
    const first = last - messages.length + 1;
    if (incarnation === '') return this.clear();
    if (incarnation !== this.incarnation || first !== this.newest + 1) this.clear();
    this.incarnation = incarnation;
    messages.forEach((message, nth) => {
      this.messages.push({ ...message, partition: partitionOf(message), offset: first + nth });
      this.characters += message.value.length;
    });
    if (this.messages.length > 2 * KEPT.count || this.characters > PAGE_SIZE) this.forget();
  }

  /** Whether all that follows `position` is here. */
  covers(position: number, incarnation: string): boolean {
    const first = this.messages[0];
    return first !== undefined && incarnation === this.incarnation && position >= first.offset - 1;
  }

  /** What follows a position that is covered. */
  after(position: number): readonly ReceivedMessage[] {
    return this.messages.slice(position + 1 - this.messages[0]!.offset);
  }

  private clear(): void {
    this.messages = [];
    this.characters = 0;
  }

  /** Keeps the newest: those who are behind them read the database. */
  private forget(): void {
    this.messages = newest(this.messages, KEPT, ({ value }) => value.length);
    this.characters = this.messages.reduce((sum, { value }) => sum + value.length, 0);
  }
}
