import type { ServerResponse } from 'node:http';
import type { Place } from './event-places';

/** A message as the stream says it; rendered once for all its readers. */
export interface StreamedMessage {
  readonly position: number;
  /** Among the messages of its event. */
  readonly index: number;
  readonly text: string;
}

/** Why a stream ends; the last event says it. */
export type EndReason = 'slow' | 'key' | 'shutdown' | 'error';

/** What may wait in memory for one reader before the next is read for it. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** A reader that has not taken what waits for it for so long has stopped. */
export const STALLED_MS = 30_000;
/** After its last event a reader that takes nothing is cut off. */
const LINGER_MS = 10_000;

/** One open stream: its place in the log, and its socket. */
export class Reader {
  /** The position up to which it has been told everything. */
  after: number;
  /** Whether the event at `after` is to be read again. */
  rereads: boolean;
  /** Whether it hears what the shared reading tells; else it reads by itself. */
  isJoined = false;
  isClosed = false;

  /** Begins after `place`: behind its event, but for the messages of that event that were not told yet. */
  constructor(
    readonly workspace: string,
    private readonly place: Place | number,
    readonly key: string,
    private readonly response: ServerResponse,
    private readonly onClose: () => void,
    private readonly stalledMs = STALLED_MS,
  ) {
    this.after = typeof place === 'number' ? place : place.position;
    this.rereads = typeof place !== 'number';
    response.on('close', () => this.ended());
    response.on('error', () => this.ended());
  }

  tell({ position, index, text }: StreamedMessage): void {
    if (typeof this.place === 'object' && position === this.place.position && index <= this.place.index) return;
    this.send(text);
  }

  passed(position: number): void {
    this.rereads = false;
    if (position > this.after) this.after = position;
  }

  send(text: string): void {
    if (!this.isClosed) this.response.write(text);
  }

  /** Whether as much waits for it as may: it is told no more until that has been taken. */
  get isFull(): boolean {
    return this.response.writableLength > MAX_WAITING_BYTES;
  }

  /** Resolves when the socket has taken what was written, or when it has not for so long that the reader is dropped. */
  drained(): Promise<void> {
    if (this.isClosed || !this.response.writableNeedDrain) return Promise.resolve();
    return new Promise((go) => {
      const done = () => {
        clearTimeout(timer);
        this.response.off('drain', done);
        this.response.off('close', done);
        go();
      };
      const timer = setTimeout(() => {
        this.close('slow');
        done();
      }, this.stalledMs).unref();
      this.response.on('drain', done).on('close', done);
    });
  }

  /** Says why and ends; whoever reads on finds it, whoever does not is cut off a little later. */
  close(reason: EndReason): void {
    if (this.isClosed) return;
    this.response.end(`event: stream.dropped\ndata: ${JSON.stringify({ reason })}\n\n`);
    setTimeout(() => this.response.destroy(), LINGER_MS).unref();
    this.ended();
  }

  private ended(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.onClose();
  }
}
