/**
 * A bounded map that forgets what was not used lately: it holds between half of `capacity` and all of it. Two
 * generations: when the young one is full it becomes the old one, and the old one goes as a whole. A single Map that deletes
 * its oldest entry at each insertion walks over ever more deleted places to find it.
 */
export class Recent<K, V extends object | string | number | boolean> {
  private young = new Map<K, V>();
  private old = new Map<K, V>();
  private readonly half: number;

  constructor(capacity: number) {
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
    if (this.young.size >= this.half && !this.young.has(key)) [this.young, this.old] = [new Map(), this.young];
    this.young.set(key, value);
  }

  delete(key: K): void {
    this.young.delete(key);
    this.old.delete(key);
  }

  clear(): void {
    this.young.clear();
    this.old.clear();
  }
}
