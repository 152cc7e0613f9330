import type { ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { Gauge } from 'prom-client';
import { parseStream, type RecordedEvent } from '#event-store';
import { OneAtATime, SECOND } from '#kernel';
import type { Engines } from '#platform';
import { holdsSealed } from '#personal-data';
import { messagesOf } from '#public-messages';
import { contracts } from '#webhook-contracts';
import type { Written } from '../commands/written';
import type { KeyStore } from '../keys/key-store';
import { EventPlaces, type Place } from './event-places';
import { Reader, STALLED_MS, type StreamedMessage } from './reader';

const BATCH = 500;
/** Of what each reader reads on its own; many may do so at once. */
const OWN = { limit: 100, size: 1_000_000 } as const;
/** What many readers of one workspace are told leaves the process to others so often. */
const TOLD_AT_ONCE = 2_000;
const HEARTBEAT_MS = 15 * SECOND;
/** The longest a key that has ended keeps a stream it had opened. */
const CHECK_KEYS_MS = 5 * SECOND;

type StreamEngines = Pick<Engines, 'db' | 'store' | 'wake' | 'log' | 'metrics' | 'keys'>;

interface NewReader {
  readonly workspace: string;
  readonly after: Place | number;
  /** The key's text, looked at again while the stream is open. */
  readonly key: string;
  readonly response: ServerResponse;
}

/**
 * The live stream of this process: the log is read once and fanned out. A reader catches up from the log on its own and
 * joins where the two meet; from there on only what lies after its own place is for it, so nothing is missed or told twice. One for which
 * too much waits parts again, and catches up.
 */
export class LiveStream {
  private readonly readers = new Set<Reader>();
  private readonly byWorkspace = new Map<string, Set<Reader>>();
  private readonly core = contracts.get('core')!;
  private readonly places: EventPlaces;
  private readonly timers: readonly NodeJS.Timeout[];
  private readonly stopListening: () => void;
  private readonly ended = new AbortController();
  private following: AbortController | undefined;
  /** Resolves when the shared reading has begun. */
  private begun: Promise<void> = Promise.resolve();
  /** How far the shared reading is, once it has begun. */
  private position = 0;
  /** Each check asks for every key that has a stream. */
  private readonly keyChecks = new OneAtATime(() => this.endThoseOfEndedKeys());

  constructor(
    private readonly engines: StreamEngines,
    private readonly keys: KeyStore,
    private readonly written: Pick<Written, 'note'>,
    private readonly stalledMs = STALLED_MS,
  ) {
    this.places = new EventPlaces(engines);
    this.timers = [
      setInterval(() => this.readers.forEach((reader) => reader.send(': still here\n\n')), HEARTBEAT_MS).unref(),
      setInterval(() => void this.keyChecks.run(), CHECK_KEYS_MS).unref(),
    ];
    this.stopListening = engines.wake.on('keys_changed', () => void this.keyChecks.run());
    engines.metrics.registerMetric(readersGauge(this.readers));
  }

  /** Where a reader begins: after its last event, or now. Throws EVENT_UNKNOWN. */
  async startAfter(workspace: string, lastEventId: string | undefined): Promise<Place | number> {
    return lastEventId === undefined ? this.engines.store.head() : this.places.find(workspace, lastEventId);
  }

  /** Takes over an answer whose head has been sent. */
  add({ workspace, after, key, response }: NewReader): void {
    const reader = new Reader(workspace, after, key, response, () => this.remove(reader), this.stalledMs);
    if (this.ended.signal.aborted) return reader.close('shutdown');
    this.readers.add(reader);
    this.byWorkspace.set(workspace, (this.byWorkspace.get(workspace) ?? new Set()).add(reader));
    reader.send(': open\n\n');
    this.catchUp(reader);
  }

  close(): void {
    this.ended.abort();
    this.stopListening();
    for (const timer of this.timers) clearInterval(timer);
    void this.keyChecks.end();
    for (const reader of this.readers) reader.close('shutdown');
  }

  private catchUp(reader: Reader): void {
    this.join(reader).catch((error: Error) => {
      this.engines.log.warn({ err: error.message }, 'a reader of the live stream could not catch up');
      reader.close('error');
    });
  }

  /** Reads the log from the reader's place on, as fast as it takes what is told, until it is where the shared reading is. */
  private async join(reader: Reader): Promise<void> {
    await this.follow();
    for (;;) {
      await reader.drained();
      if (reader.isClosed) return;
      // No await between the comparison and the joining: what is told from here on, the reader hears.
      if (!reader.rereads && reader.after >= this.position) {
        reader.isJoined = true;
        return;
      }
      const { events, position } = await this.engines.store.readAll({
        after: reader.after,
        inclusive: reader.rereads,
        workspace: reader.workspace,
        ...OWN,
      });
      for (const event of events) {
        for (const message of await this.told(event)) reader.tell(message);
        if (reader.isFull) await reader.drained();
        if (reader.isClosed) return;
      }
      reader.passed(position);
    }
  }

  /** Starts the shared reading with the first reader; who comes while it begins waits for it, and fails with it. */
  private follow(): Promise<void> {
    if (this.following) return this.begun;
    const following = (this.following = new AbortController());
    this.begun = this.begin(following).catch((error: Error) => {
      this.ceased(following);
      throw error;
    });
    return this.begun;
  }

  private async begin(following: AbortController): Promise<void> {
    const head = await this.engines.store.head();
    // Another one may have begun since.
    if (following.signal.aborted) return;
    this.position = head;
    this.fanOutAfter(head, following.signal)
      .catch((error: Error) => {
        if (following.signal.aborted) return;
        this.engines.log.error({ err: error.message }, 'the live stream ended');
        for (const reader of this.readers) reader.close('error');
      })
      .finally(() => this.ceased(following));
  }

  private ceased(following: AbortController): void {
    if (this.following === following) this.following = undefined;
  }

  private async fanOutAfter(after: number, signal: AbortSignal): Promise<void> {
    const onFault = (error: Error) =>
      this.engines.log.warn({ err: error.message }, 'the live stream waits for the event store');
    for await (const { events, position } of this.engines.store.follow({ after, maxBatch: BATCH, signal, onFault })) {
      for (let rest = events; rest.length > 0;) {
        const some = rest.slice(0, Math.max(1, Math.floor(TOLD_AT_ONCE / this.readers.size)));
        rest = rest.slice(some.length);
        const told = await this.toldAll(some);
        if (signal.aborted) return;
        // No await from here to the new position: who joins meanwhile joins before all of these or after them.
        for (const event of some) this.fanOut(event, told.get(event) ?? []);
        this.position = some.at(-1)!.position;
        if (rest.length > 0) await setImmediate();
      }
      if (signal.aborted) return;
      this.position = position;
    }
  }

  /** What these events say, for every workspace that has a reader, also for one that gets its first meanwhile. */
  private async toldAll(events: readonly RecordedEvent[]): Promise<Map<RecordedEvent, StreamedMessage[]>> {
    const told = new Map<RecordedEvent, StreamedMessage[]>();
    const untold = () => events.filter((event) => !told.has(event) && this.byWorkspace.has(event.metadata.workspace));
    for (let some = untold(); some.length > 0; some = untold())
      for (const event of some) told.set(event, await this.told(event));
    return told;
  }

  private fanOut(event: RecordedEvent, messages: readonly StreamedMessage[]): void {
    for (const reader of this.byWorkspace.get(event.metadata.workspace) ?? []) {
      if (!reader.isJoined || reader.after >= event.position) continue;
      for (const message of messages) reader.tell(message);
      reader.passed(event.position);
      if (reader.isFull) {
        // Many events at once are no reader's fault. It reads on by itself, at its own pace, and holds up nobody.
        reader.isJoined = false;
        this.catchUp(reader);
      }
    }
  }

  /** What is personal is opened as it goes out: each time anew, for it may have been erased since. What is told here is read here. */
  private async told(event: RecordedEvent): Promise<StreamedMessage[]> {
    const { category, workspace: place, id } = parseStream(event.stream);
    this.written.note(place, category, id, event);
    const said = messagesOf(event).flatMap((message) => {
      const { workspace, position, index } = message;
      return this.core.render(message).map(({ id, type, body }) => {
        this.places.remember(workspace, id, { position, index });
        return { position, index, text: `id: ${id}\nevent: ${type}\ndata: ${body}\n\n` };
      });
    });
    if (!said.some(({ text }) => holdsSealed(text))) return said;
    const { keys } = this.engines;
    const { workspace } = event.metadata;
    return Promise.all(said.map(async (it) => ({ ...it, text: (await keys.open(workspace, it.text)).text })));
  }

  private remove(reader: Reader): void {
    this.readers.delete(reader);
    const others = this.byWorkspace.get(reader.workspace);
    others?.delete(reader);
    if (others?.size === 0) this.byWorkspace.delete(reader.workspace);
    if (this.readers.size > 0) return;
    this.following?.abort();
    this.following = undefined;
  }

  private async endThoseOfEndedKeys(): Promise<void> {
    for (const key of new Set([...this.readers].map((reader) => reader.key))) {
      const caller = this.keys.cached(key) ?? (await this.keys.find(key).catch(() => undefined));
      if (caller === null) for (const reader of this.readers) if (reader.key === key) reader.close('key');
    }
  }
}

const readersGauge = (readers: ReadonlySet<Reader>): Gauge =>
  new Gauge({
    name: 'postledger_stream_readers',
    help: 'Readers of the live stream',
    registers: [],
    collect() {
      this.set(readers.size);
    },
  });
