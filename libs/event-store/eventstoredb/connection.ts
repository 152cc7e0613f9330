import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { EventStoreDBClient, type ResolvedEvent, type StreamingRead } from '@eventstore/db-client';
import { EventStoreUnavailableError } from '../port/event-store';
import { clientAddress, FORM } from './connection-settings';
import { isKeptOut, isNotLeader, isRefusal, unavailable } from './faults';

const FIRST_BACKOFF_MS = 25;
const MAX_BACKOFF_MS = 1_000;

export interface Deadlines {
  /** A request is given up after so many milliseconds, whatever was tried (15,000). */
  readonly deadlineMs: number;
  /** One try of it, or one pause between two events of a read, after so many (5,000). */
  readonly attemptMs: number;
}

export interface DrainOptions {
  /** Given up when there was nothing to hear for so many milliseconds, whatever was tried. */
  readonly deadlineMs?: number;
  /** Whether what follows the event is not wanted any more. */
  readonly isEnough?: (event: ResolvedEvent) => boolean;
}

/** A client, and the signal that it has been replaced: what is under way on it will not be answered. */
export interface Line {
  readonly client: EventStoreDBClient;
  readonly gone: AbortSignal;
}

/**
 * One client at a time. A fault replaces it as a whole: the client keeps its pending appends in one map for the whole
 * process, and an answer on one of its streams after an error on another would throw where nobody can catch it.
 */
export class Connection {
  private readonly address: string;
  private line: Line & { readonly end: () => void };
  private letGo: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(
    url: string,
    private readonly deadlines: Deadlines,
  ) {
    this.address = clientAddress(url);
    this.line = this.firstLine();
  }

  /** The present client, when the one before has let go. */
  async current(): Promise<Line> {
    await this.letGo;
    return this.line;
  }

  /** Tries a request until it is answered, refused or late. It must be safe to repeat. */
  request<T>(work: (client: EventStoreDBClient) => Promise<T>): Promise<T> {
    return this.retrying(({ client, gone }, leftMs) =>
      answered(work(client), gone, Math.min(this.deadlines.attemptMs, leftMs)),
    );
  }

  /** All that a read gives, up to the event that is enough. Each of its events has a deadline of its own, so a long stream may take its time. */
  drain(
    open: (client: EventStoreDBClient) => StreamingRead<ResolvedEvent>,
    { deadlineMs = this.deadlines.deadlineMs, isEnough = () => false }: DrainOptions = {},
  ): Promise<ResolvedEvent[]> {
    return this.retrying(async ({ client, gone }) => {
      const stream = open(client);
      const events: ResolvedEvent[] = [];
      let heard = performance.now();
      let isOver = false;
      const ended = new Promise<'ended'>((resolve, reject) => {
        stream.on('error', reject).on('end', () => resolve('ended'));
        stream.on('data', (event) => {
          heard = performance.now();
          if (isOver) return;
          events.push(event);
          if (!isEnough(event)) return;
          isOver = true;
          stream.cancel().catch(unavailable);
          resolve('ended');
        });
      });
      try {
        for (;;) {
          const wait = Math.min(this.deadlines.attemptMs, deadlineMs) - (performance.now() - heard);
          if (wait <= 0) throw late();
          if ((await answered(ended, gone, wait, 'waiting')) === 'ended') return events;
        }
      } catch (error) {
        // Of a stream that no node was found for, the client rejects this too.
        stream.cancel().catch(unavailable);
        throw error;
      }
    }, deadlineMs);
  }

  /** Leaves `broken` behind; those that wait on it are told. */
  renew(broken: Line): void {
    if (broken !== this.line) return;
    const { client, end } = this.line;
    this.line = this.open();
    end();
    this.letGo = this.letGo.then(() => dispose(client));
  }

  private async retrying<T>(
    work: (line: Line, leftMs: number) => Promise<T>,
    deadlineMs = this.deadlines.deadlineMs,
  ): Promise<T> {
    const end = performance.now() + deadlineMs;
    for (let backoff = FIRST_BACKOFF_MS; ; backoff = Math.min(backoff * 2, MAX_BACKOFF_MS)) {
      const line = await this.current();
      // A client that was disposed of would connect again, and nobody would close that.
      if (this.closed) throw new EventStoreUnavailableError('The log in EventStoreDB was closed');
      try {
        return await work(line, end - performance.now());
      } catch (error) {
        if (isRefusal(error)) throw isKeptOut(error) ? unavailable(error) : error;
        if (!isNotLeader(error)) this.renew(line);
        if (performance.now() + backoff >= end) throw unavailable(error);
      }
      await pause(backoff);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    this.line.end();
    await this.letGo;
    await dispose(this.line.client);
  }

  /** What the client finds wrong with the address, it finds now. */
  private firstLine(): Line & { readonly end: () => void } {
    try {
      return this.open();
    } catch (cause) {
      throw new Error(FORM, { cause });
    }
  }

  private open(): Line & { readonly end: () => void } {
    const control = new AbortController();
    setMaxListeners(0, control.signal);
    return {
      client: EventStoreDBClient.connectionString(this.address),
      gone: control.signal,
      end: () => control.abort(),
    };
  }
}

async function dispose(client: EventStoreDBClient): Promise<void> {
  const closed = client
    .dispose()
    .then(() => client['getChannel']())
    .then((channel) => channel.close())
    .catch(unavailable);
  await Promise.race([closed, pause(1_000, undefined, { ref: false })]);
}

const late = () => new EventStoreUnavailableError('EventStoreDB did not answer in time');

/** The answer, or a rejection when the line goes or time is up (then `instead`, if one is given). */
async function answered<T, I = never>(
  answer: Promise<T>,
  gone: AbortSignal,
  ms: number,
  ...instead: I[]
): Promise<T | I> {
  let stop = (): void => undefined;
  const given = new Promise<I>((resolve, reject) => {
    const onGone = () => reject(new EventStoreUnavailableError('The connection to EventStoreDB was given up'));
    const timer = setTimeout(() => (instead.length > 0 ? resolve(instead[0]!) : reject(late())), Math.max(0, ms));
    stop = () => {
      clearTimeout(timer);
      gone.removeEventListener('abort', onGone);
    };
    if (gone.aborted) onGone();
    else gone.addEventListener('abort', onGone);
  });
  try {
    return await Promise.race([answer, given]);
  } finally {
    stop();
  }
}
