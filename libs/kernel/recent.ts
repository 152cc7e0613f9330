/**
 * A bounded map that forgets what was not used lately: it holds between half of `capacity` and all of it. Two
 * generations: when the young one is full it becomes the old one, and the old one goes as a whole. A single Map that deletes
 * its oldest entry at each insertion walks over ever more deleted places to find it. By size it is bounded in the same way, where a value has one.
 */
export class Recent<K, V extends object | string | number | boolean> {
  private young = new Map<K, V>();
  private old = new Map<K, V>();
  private readonly half: number;
  /** Of what is young. */
  private size = 0;

  /** `sizeIn` says how large a value is; all together are never larger than `size`, unless by one of them. */
  constructor(
    capacity: number,
    private readonly bound: { readonly size: number; readonly sizeIn: (value: V) => number } = ANY_SIZE,
  ) {
    this.half = Math.max(1, Math.floor(capacity / 2));
  }

  get(key: K): V | undefined {
    const known = this.young.get(key);
    if (known !== undefined) return known;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: K, value: V): void {
    const { sizeIn, size } = this.bound;
    const before = this.young.get(key);
    const growth = sizeIn(value) - (before === undefined ? 0 : sizeIn(before));
    if ((before === undefined && this.young.size >= this.half) || (this.size > 0 && this.size + growth > size / 2)) {
      [this.young, this.old] = [new Map(), this.young];
      this.size = sizeIn(value);
    } else this.size += growth;
    this.young.set(key, value);
  }

  delete(key: K): void {
    const gone = this.young.get(key);
    if (gone !== undefined) this.size -= this.bound.sizeIn(gone);
    this.young.delete(key);
    this.old.delete(key);
  }

  clear(): void {
    this.young.clear();
    this.old.clear();
    this.size = 0;
  }
}

const ANY_SIZE = { size: Infinity, sizeIn: () => 0 };
