import type { ServerWritableStream } from '@grpc/grpc-js';
import type { StoredLog, StoredRecord } from './stored-log';
import {
  caughtUpMessage,
  checkpointMessage,
  confirmationMessage,
  drained,
  eventMessage,
  fellBehindMessage,
  type ReadReq,
  type ReadResp,
} from './wire';

type Call = ServerWritableStream<ReadReq, ReadResp>;

/** The server looks at so many records between two checkpoints, times the client's multiplier. */
const CHECKPOINT_WINDOW = 32;
const RECORDS_PER_TURN = 200;
/** A live subscription that is so many records behind is told that it is, and later that it has caught up again. */
const FAR_BEHIND = 20;

/** What a test may do to the subscriptions of a node. */
export interface SubscriptionFaults {
  silent: boolean;
  duplicates: boolean;
}

/** One live reader of `$all`: confirmation, what is there, caught-up, what comes; checkpoints for what the filter hides. */
export class AllSubscription {
  private unsubscribe: (() => void) | undefined;
  private isCaughtUp = false;
  private hidden = 0;
  private busy = false;

  constructor(
    private readonly call: Call,
    private readonly log: StoredLog,
    /** Index of the first record to send. */
    private next: number,
    private readonly faults: SubscriptionFaults,
  ) {
    call.write(confirmationMessage(`double-${Math.random().toString(36).slice(2)}`));
    this.unsubscribe = log.onWrite(() => void this.run());
    call.on('cancelled', () => this.stop());
    void this.run();
  }

  /** Ends it without an error, as a node does that shuts down in good order. */
  end(): void {
    this.stop();
    this.call.end();
  }

  resume(): void {
    void this.run();
  }

  stop(): void {
    this.unsubscribe?.();
    this.unsubscribe = undefined;
  }

  private async run(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    if (this.isCaughtUp && !this.faults.silent && this.log.records.length - this.next > FAR_BEHIND) {
      this.isCaughtUp = false;
      this.call.write(fellBehindMessage());
    }
    while (this.unsubscribe && !this.faults.silent && this.next < this.log.records.length) {
      for (let turn = 0; turn < RECORDS_PER_TURN && this.next < this.log.records.length; turn++)
        this.send(this.log.records[this.next++]!);
      if (this.call.writableNeedDrain) await drained(this.call);
      else await new Promise(setImmediate);
    }
    this.busy = false;
    if (this.isCaughtUp || !this.unsubscribe || this.faults.silent) return;
    this.isCaughtUp = true;
    this.call.write(caughtUpMessage());
  }

  private send(record: StoredRecord): void {
    const filter = this.call.request.getOptions()!.getFilter();
    if (passes(this.call, record)) {
      this.call.write(eventMessage(record));
      if (this.faults.duplicates) this.call.write(eventMessage(record));
    }
    if (!filter) return;
    // A checkpoint names what the server has looked at, which is ahead of what the reader has taken.
    if (++this.hidden < CHECKPOINT_WINDOW * Math.max(1, filter.getCheckpointintervalmultiplier())) return;
    this.hidden = 0;
    this.call.write(checkpointMessage(record.position));
  }
}

function passes(call: Call, { stream, type }: StoredRecord): boolean {
  const filter = call.request.getOptions()!.getFilter();
  if (!filter) return true;
  const expression = filter.hasEventType() ? filter.getEventType()! : filter.getStreamIdentifier()!;
  const text = filter.hasEventType() ? type : stream;
  const prefixes = expression.getPrefixList();
  return prefixes.length > 0
    ? prefixes.some((prefix) => text.startsWith(prefix))
    : new RegExp(expression.getRegex()).test(text);
}
