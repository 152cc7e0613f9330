/** One record of the double's log. */
export interface StoredRecord {
  /** Offset in the transaction file: commit and prepare are the same for what gRPC writes. */
  readonly position: bigint;
  readonly stream: string;
  readonly revision: bigint;
  readonly id: string;
  readonly type: string;
  readonly contentType: string;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
  /** 100 ns ticks since 1970. */
  readonly created: bigint;
}

export type Proposed = Pick<StoredRecord, 'id' | 'type' | 'contentType' | 'data' | 'metadata'>;
export type Expected = 'any' | 'no-stream' | 'stream-exists' | bigint;
export type Outcome =
  /** `position` is undefined for a repeated append, of which a node need not know the place. */
  | { readonly kind: 'written'; readonly revision: bigint; readonly position: bigint | undefined }
  | { readonly kind: 'wrong'; readonly current: bigint | 'no-stream' };

const RECORD_OVERHEAD = 117;
const NONE = new Uint8Array();
/** Of the records that a node writes by itself. */
const ownId = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
/** A node writes about itself between the events of others. */
const EVENTS_BETWEEN_STATISTICS = 17;

/** The transaction log with the rules that EventStoreDB documents for expected revisions and idempotence. */
export class StoredLog {
  readonly records: StoredRecord[] = [];
  private readonly streams = new Map<string, StoredRecord[]>();
  private readonly listeners = new Set<() => void>();
  private end = 4_096n;
  private sinceStatistics = 0;

  /** With `projections` the log also gets what the standard projections write: a link to each event in the stream of its category. */
  constructor(private readonly options: { readonly projections?: boolean } = {}) {
    this.writeOwn('$users', '$UserCreated');
    this.writeOwn('$settings', '$settings');
  }

  stream(name: string): readonly StoredRecord[] | undefined {
    return this.streams.get(name);
  }

  /**
   * An exact revision that has passed is the same append when the same ids stand behind it, all of them. `any` and
   * `stream-exists` know only ids that this stream holds already.
   */
  append(stream: string, events: readonly Proposed[], expected: Expected): Outcome {
    const present = this.streams.get(stream) ?? [];
    const current = BigInt(present.length) - 1n;
    const wrong: Outcome = { kind: 'wrong', current: present.length === 0 ? 'no-stream' : current };
    const repeated = (last: bigint): Outcome => ({ kind: 'written', revision: last, position: undefined });
    if (expected === 'any' || expected === 'stream-exists') {
      if (expected === 'stream-exists' && present.length === 0) return wrong;
      const known = present.findIndex(({ id }) => id === events[0]?.id);
      if (known >= 0 && events.every(({ id }, n) => present[known + n]?.id === id))
        return repeated(BigInt(known + events.length - 1));
    } else {
      const at = expected === 'no-stream' ? -1n : expected;
      if (at > current) return wrong;
      if (at < current) {
        const isSame = events.every(({ id }, n) => present[Number(at) + 1 + n]?.id === id);
        return isSame ? repeated(at + BigInt(events.length)) : wrong;
      }
    }
    for (const event of events) this.write(stream, event);
    this.tell();
    return {
      kind: 'written',
      revision: current + BigInt(events.length),
      position: this.streams.get(stream)!.at(-1)!.position,
    };
  }

  /** Index of the record at this very position; −1 when none begins there. */
  indexOf(position: bigint): number {
    let [low, high] = [0, this.records.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = this.records[middle]!.position;
      if (at === position) return middle;
      if (at < position) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  onWrite(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** A statistics event, as a node writes every half minute. */
  writeStatistics(): void {
    this.writeOwn('$stats-127.0.0.1:2113', '$statsCollected');
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }

  private write(stream: string, event: Proposed): void {
    const records = this.streams.get(stream) ?? [];
    this.streams.set(stream, records);
    const record = {
      ...event,
      stream,
      revision: BigInt(records.length),
      position: this.end,
      created: BigInt(Date.now()) * 10_000n,
    };
    records.push(record);
    this.records.push(record);
    this.end += BigInt(RECORD_OVERHEAD + 2 * stream.length + event.data.length + event.metadata.length);
    if (stream.startsWith('$')) return;
    if (this.options.projections) this.writeLink(record);
    if (++this.sinceStatistics < EVENTS_BETWEEN_STATISTICS) return;
    this.sinceStatistics = 0;
    this.writeOwn('$stats-127.0.0.1:2113', '$statsCollected');
  }

  private writeLink({ stream, revision }: StoredRecord): void {
    const encode = (text: string) => new TextEncoder().encode(text);
    this.write(`$ce-${stream.split('-')[0]}`, {
      id: ownId(this.records.length),
      type: '$>',
      contentType: 'application/octet-stream',
      data: encode(`${revision}@${stream}`),
      metadata: encode('{"$v":"1:-1:1:4"}'),
    });
  }

  private writeOwn(stream: string, type: string): void {
    this.write(stream, {
      id: ownId(this.records.length),
      type,
      contentType: 'application/json',
      data: new TextEncoder().encode('{}'),
      metadata: NONE,
    });
  }
}
