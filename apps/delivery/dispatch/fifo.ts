/** First in, first out, without shifting arrays. */
export class Fifo<T> {
  private items: T[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  get all(): readonly T[] {
    return this.items.slice(this.head);
  }

  push(item: T): void {
    this.items.push(item);
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head];
    this.items[this.head++] = undefined as T;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  /** Takes out the one that `is` wanted, wherever it stands. */
  remove(is: (item: T) => boolean): T | undefined {
    const at = this.items.findIndex((item, index) => index >= this.head && is(item));
    return at < 0 ? undefined : this.items.splice(at, 1)[0];
  }

  clear(): T[] {
    const left = this.items.slice(this.head);
    this.items = [];
    this.head = 0;
    return left;
  }
}
