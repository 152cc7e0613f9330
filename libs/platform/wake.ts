import { EventEmitter } from 'node:events';
import type { Database } from '#postgres';

/**
 * Stages wake each other: in this process at once, in others by NOTIFY. A wake-up may come twice or for nothing
 * (after a reconnect, with an empty payload); whoever is woken looks for itself.
 */
export class Wake {
  private readonly emitter = new EventEmitter({ captureRejections: false }).setMaxListeners(0);
  private readonly listening = new Map<string, () => void>();

  constructor(
    private readonly db: Database,
    private readonly onError: (error: Error) => void,
  ) {}

  /** Calls `hear` for every wake-up on `channel`; returns the way to stop. */
  on(channel: string, hear: (payload: string) => void): () => void {
    if (!this.listening.has(channel))
      this.listening.set(
        channel,
        this.db.listen(channel, (payload) => this.local(channel, payload)),
      );
    this.emitter.on(channel, hear);
    return () => void this.emitter.off(channel, hear);
  }

  /** Wakes this process at once and the others by NOTIFY. */
  send(channel: string, payload = ''): void {
    this.local(channel, payload);
    this.db.notify(channel, payload).catch(this.onError);
  }

  /** Wakes this process alone: for what SQL has already notified in its transaction. */
  local(channel: string, payload = ''): void {
    this.emitter.emit(channel, payload);
  }
}
