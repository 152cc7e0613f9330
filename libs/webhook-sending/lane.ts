import type { Socket } from 'node:net';
import { dial, type DialSettings, type DialTarget, type Dialling } from './dial';
import { requestHead } from './request-head';
import { ResponseReader, type ResponseHearer } from './response-reader';

/** Below the 5 s of common servers, so that we close an idle connection before they do; longer where the server says so. */
const KEEP_ALIVE_MS = 4_000;
const LONGEST_KEEP_ALIVE_MS = 60_000;
const MARGIN_MS = 1_000;

/** The other side closed the connection: code of the error. */
export const CLOSED = 'CLOSED';

export interface LaneRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** One exchange, as the lane tells of it. After `onComplete` or `onError` nothing follows. */
export interface LaneExchange extends ResponseHearer {
  /** A connection stands, and the request is about to be written. */
  onConnect(): void;
  /** Some of an answer has come. */
  onAnswer(): void;
  onComplete(): void;
  onError(error: Error): void;
}

/**
 * One connection at a time to one origin, made when first needed and again after it was lost, each time resolved and vetted
 * anew: so the address of a kept connection is one that was vetted when it was dialled. One exchange at a time (HTTP/1.1).
 */
export class Lane {
  private readonly host: string;
  private dialling: Dialling = { stage: 'resolve', cancelled: false };
  private socket: Socket | undefined;
  private exchange: LaneExchange | undefined;
  private reader: ResponseReader | undefined;
  /** By `performance.now()`. */
  private keptUntil = Infinity;
  /** Exchanges completed on the present connection. */
  served = 0;
  /** Some of the request is still on this machine. */
  isSending = false;

  constructor(
    origin: string,
    private readonly target: DialTarget,
    private readonly settings: DialSettings,
  ) {
    this.host = new URL(origin).host;
  }

  /** Where this lane's exchange stands before its request is written. */
  get stage(): 'resolve' | 'connect' | 'tls' {
    return this.dialling.stage;
  }

  /** Whether its server may have closed the connection, which has been idle for long, just now. */
  isStale(now: number): boolean {
    return now > this.keptUntil;
  }

  /** Sends one request; the lane is free again when its exchange has been told of the end. */
  send({ path, headers, body }: LaneRequest, exchange: LaneExchange): void {
    const head = requestHead(this.host, path, headers, Buffer.byteLength(body));
    this.exchange = exchange;
    if (this.socket && this.isStale(performance.now())) this.drop();
    if (this.socket?.writable) this.write(this.socket, head, body);
    else void this.connect(head, body);
  }

  /** Drops the connection, also one that is being made; its exchange hears no more. */
  destroy(): void {
    this.exchange = undefined;
    this.dialling.cancelled = true;
    this.dialling.socket?.destroy();
    this.drop();
  }

  private async connect(head: string, body: string | Buffer): Promise<void> {
    const dialling: Dialling = (this.dialling = { stage: 'resolve', cancelled: false });
    this.drop();
    try {
      const socket = await dial(this.target, this.settings, dialling);
      if (dialling.cancelled) return void socket.destroy();
      this.served = 0;
      this.attach(socket);
      this.write(socket, head, body);
    } catch (error) {
      if (!dialling.cancelled) this.fail(error as Error);
    }
  }

  private attach(socket: Socket): void {
    this.socket = socket;
    const ifPresent =
      <T extends unknown[]>(hear: (...args: T) => void) =>
      (...args: T): void =>
        this.socket === socket ? hear(...args) : undefined;
    socket.on(
      'data',
      ifPresent((bytes: Buffer) => this.take(bytes)),
    );
    socket.on(
      'drain',
      ifPresent(() => (this.isSending = false)),
    );
    socket.on(
      'end',
      ifPresent(() => this.ended()),
    );
    socket.on(
      'close',
      ifPresent(() => this.ended()),
    );
    // Also after it was dropped: an error that nobody hears would end the process.
    socket.on('error', (error) => this.socket === socket && this.fail(error));
  }

  /** Head and body in one write where both are text: one system call. */
  private write(socket: Socket, head: string, body: string | Buffer): void {
    socket.ref();
    this.reader = new ResponseReader(this.exchange!);
    this.exchange!.onConnect();
    if (typeof body === 'string') socket.write(head + body);
    else {
      socket.cork();
      socket.write(head);
      socket.write(body);
      socket.uncork();
    }
    this.isSending = socket.writableNeedDrain;
  }

  private take(bytes: Buffer): void {
    const { reader } = this;
    // Nobody asked for it.
    if (!reader) return this.drop();
    this.exchange!.onAnswer();
    try {
      reader.read(bytes);
    } catch (error) {
      return this.fail(error as Error);
    }
    if (reader === this.reader && reader.isOver) this.complete(reader);
  }

  private ended(): void {
    if (this.reader?.close()) this.complete(this.reader);
    else this.fail(Object.assign(new Error('The connection was closed by the other side'), { code: CLOSED }));
  }

  private complete({ isKept, keptSeconds }: ResponseReader): void {
    const exchange = this.exchange!;
    // An idle connection keeps no process from ending.
    this.socket?.unref();
    this.exchange = this.reader = undefined;
    const keptMs =
      keptSeconds === undefined ? KEEP_ALIVE_MS : Math.min(keptSeconds * 1_000 - MARGIN_MS, LONGEST_KEEP_ALIVE_MS);
    // An answer before the whole request has left leaves a connection that nobody can use again.
    if (!isKept || keptMs <= 0 || this.isSending) this.drop();
    else this.keptUntil = performance.now() + keptMs;
    exchange.onComplete();
  }

  private fail(error: Error): void {
    const { exchange } = this;
    this.exchange = undefined;
    this.drop();
    exchange?.onError(error);
  }

  private drop(): void {
    const { socket } = this;
    this.socket = this.reader = undefined;
    this.keptUntil = Infinity;
    socket?.destroy();
  }
}
