import { setTimeout as pause } from 'node:timers/promises';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { StoredLog, StoredRecord } from './stored-log';
import { drained, eventMessage, nameOf, notFoundMessage, type ReadReq, type ReadResp } from './wire';

type Call = ServerWritableStream<ReadReq, ReadResp>;

const FORWARDS = 0;

/** A place in `$all` at which no record begins: a node refuses to read from there. */
export class NoSuchPositionError extends Error {}

/** Index of the record at the asked position; the ends of the log for start and end. */
export function startOf(log: StoredLog, options: ReadReq.Options): number {
  const all = options.getAll()!;
  if (all.hasStart()) return 0;
  if (all.hasEnd()) return log.records.length;
  const position = BigInt(all.getPosition()!.getCommitPosition());
  const index = log.indexOf(position);
  if (index < 0) throw new NoSuchPositionError(`No record begins at ${position}`);
  return index;
}

/** Forwards a read begins with the record at its position, backwards with the one before it. */
export function* allRecords(log: StoredLog, options: ReadReq.Options): Generator<StoredRecord> {
  const from = startOf(log, options);
  const count = Number(options.getCount());
  const isForwards = Number(options.getReadDirection()) === FORWARDS;
  const end = log.records.length;
  for (let sent = 0; sent < count; sent++) {
    const index = isForwards ? from + sent : from - 1 - sent;
    if (index < 0 || index >= end) return;
    yield log.records[index]!;
  }
}

export function* streamRecords(records: readonly StoredRecord[], options: ReadReq.Options): Generator<StoredRecord> {
  const stream = options.getStream()!;
  const count = Number(options.getCount());
  const isForwards = Number(options.getReadDirection()) === FORWARDS;
  const from = stream.hasStart() ? 0 : stream.hasEnd() ? records.length - 1 : Number(stream.getRevision());
  const end = records.length;
  for (let sent = 0; sent < count; sent++) {
    const index = isForwards ? from + sent : from - sent;
    if (index < 0 || index >= end) return;
    yield records[index]!;
  }
}

/** Answers a read that is no subscription, at the reader's pace or an event each `paceMs`; one that is stuck stops after its first event. */
export async function answerRead(call: Call, log: StoredLog, isStuck = false, paceMs = 0): Promise<void> {
  const options = call.request.getOptions()!;
  let records: Generator<StoredRecord>;
  if (options.hasAll()) {
    records = allRecords(log, options);
  } else {
    const name = nameOf(options.getStream()!.getStreamIdentifier());
    const stream = log.stream(name);
    if (!stream) {
      call.write(notFoundMessage(name));
      call.end();
      return;
    }
    records = streamRecords(stream, options);
  }
  for (const record of records) {
    if (call.cancelled) return;
    if (!call.write(eventMessage(record))) await drained(call);
    if (isStuck) return;
    if (paceMs > 0) await pause(paceMs);
  }
  call.end();
}
