/** One who asks gets this part of what is left: so there is always something left for the next, and nobody has to give anything back. */
const PART = 1 / 4;
/** Characters of a body, until there are some to go by. */
const USUAL_SIZE = 1_000;

/** For the endpoints of a process together; what is `ordered` has a memory of its own. */
const FULL = { count: 20_000, size: 64_000_000 };

/** What deliveries take of a process's memory, by their number and by the characters of their bodies. */
export class Memory {
  private count = 0;
  private size = 0;

  constructor(private readonly most: { readonly count: number; readonly size: number } = FULL) {}

  take(size: number): void {
    this.count++;
    this.size += size;
  }

  give(size: number): void {
    this.count--;
    this.size -= size;
  }

  /** How many deliveries one endpoint may have in it at present: never none, however many there are. */
  get part(): number {
    const usual = this.count > 0 ? this.size / this.count : USUAL_SIZE;
    const left = Math.min(this.most.count - this.count, (this.most.size - this.size) / usual);
    return Math.max(1, Math.floor(left * PART));
  }
}
