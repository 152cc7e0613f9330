import { StageError, type ErrorStage, type Exchange, type ExchangeRequest } from './exchange';
import { CLOSED, type Lane, type LaneExchange } from './lane';
import type { Origin } from './origin';

const LOST_IDLE = new Set(['ECONNRESET', 'EPIPE', CLOSED]);
const NUL = String.fromCharCode(0);

/** One exchange under way, told by its lane how it goes. Settles once; whatever comes later is ignored. */
export class Sending implements LaneExchange {
  private readonly startedAt = Date.now();
  private readonly began = performance.now();
  private readonly timer: NodeJS.Timeout;
  private lane?: Lane;
  private written = false;
  private isAnswered = false;
  private statusCode?: number;
  private retryAfter?: string;
  private firstChunk?: Buffer;
  private chunks?: Buffer[];
  private received = 0;
  isSettled = false;

  constructor(
    private readonly origin: Origin,
    private readonly path: string,
    private readonly request: ExchangeRequest,
    private readonly maxResponseBytes: number,
    private readonly settled: (exchange: Exchange, sending: Sending) => void,
  ) {
    this.timer = setTimeout(Sending.expired, request.timeoutMs, this);
  }

  private static expired(sending: Sending): void {
    sending.fail('timeout', `No complete answer within ${sending.request.timeoutMs} ms (${sending.phase()})`);
  }

  begin(): void {
    this.origin.take(this.start);
  }

  abort(message: string): void {
    this.fail('aborted', message);
  }

  private readonly start = (lane: Lane): boolean => {
    if (this.isSettled) return false;
    this.lane = lane;
    const { headers, body } = this.request;
    try {
      lane.send({ path: this.path, headers, body }, this);
    } catch (error) {
      this.onError(error as Error);
    }
    return true;
  };

  onConnect(): void {
    this.written = true;
  }

  onAnswer(): void {
    this.isAnswered = true;
  }

  onHeaders(statusCode: number, retryAfter: string | undefined): void {
    this.statusCode = statusCode;
    if (statusCode >= 300 && retryAfter !== undefined) this.retryAfter = retryAfter;
  }

  onData(chunk: Buffer): void {
    if (this.isSettled) return;
    if (this.firstChunk) (this.chunks ??= [this.firstChunk]).push(chunk);
    else this.firstChunk = chunk;
    this.received += chunk.length;
    // All that is kept has come: the rest is neither read nor waited for.
    if (this.received > this.maxResponseBytes) this.settle(undefined, true);
  }

  onComplete(): void {
    if (!this.isSettled) this.lane!.served++;
    this.settle(undefined, false);
  }

  onError(error: Error): void {
    if (this.isSettled) return;
    const { code } = error as { code?: string };
    if (this.isLostBeforeUse(code)) return this.resend();
    if (error instanceof StageError) return this.fail(error.stage, error.message);
    this.fail(this.stage(code), error.message || code || 'failed');
  }

  /** A kept connection that the server closed while it was idle: nothing of this exchange has been answered. */
  private isLostBeforeUse(code: string | undefined): boolean {
    return this.written && !this.isAnswered && this.lane!.served > 0 && LOST_IDLE.has(code ?? '');
  }

  /** Once only: on a new connection, which has served nothing. */
  private resend(): void {
    this.written = false;
    this.start(this.origin.newLane());
  }

  private stage(code?: string): ErrorStage {
    if (!this.lane) return 'connect';
    if (!this.written) return this.lane.stage;
    if (this.statusCode !== undefined) return 'body';
    return code === 'EPIPE' || this.lane.isSending ? 'send' : 'headers';
  }

  private phase(): string {
    if (!this.lane) return 'waiting for a connection';
    const phases: Partial<Record<ErrorStage, string>> = {
      resolve: 'resolving the name',
      connect: 'connecting',
      tls: 'in the TLS handshake',
      send: 'sending',
      headers: 'waiting for the response headers',
      body: 'reading the response body',
    };
    return phases[this.stage()]!;
  }

  private fail(stage: ErrorStage, message: string): void {
    this.settle({ stage, message }, true);
  }

  private settle(error: Exchange['error'], spent: boolean): void {
    if (this.isSettled) return;
    this.isSettled = true;
    clearTimeout(this.timer);
    const { statusCode, retryAfter, startedAt } = this;
    const ok = !error && statusCode !== undefined && statusCode < 300;
    const durationMs = Math.round((performance.now() - this.began) * 1000) / 1000;
    const exchange: Exchange = {
      ok,
      ...(statusCode !== undefined && { statusCode }),
      ...(error && { error }),
      startedAt,
      durationMs,
      ...(statusCode !== undefined && { response: this.text() }),
      ...(retryAfter !== undefined && { retryAfter }),
    };
    if (this.lane) this.origin.release(this.lane, spent, startedAt + durationMs);
    this.settled(exchange, this);
  }

  private text(): string {
    if (!this.firstChunk) return '';
    const bytes = this.chunks ? Buffer.concat(this.chunks) : this.firstChunk;
    const text = bytes.length > this.maxResponseBytes ? cut(bytes, this.maxResponseBytes) : bytes.toString('utf8');
    return text.includes(NUL) ? text.replaceAll(NUL, '') : text;
  }
}

/** Decodes the first `length` bytes; a character that the cut goes through is left out. */
const cut = (bytes: Buffer, length: number): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(0, length), { stream: true });
