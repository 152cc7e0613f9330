import type { Socket } from 'node:net';
import { Client, type buildConnector, type Dispatcher } from 'undici';
import { dial, type DialSettings, type DialTarget, type Dialling } from './dial';

/** Below the 5 s of common servers, so that we close an idle connection before they do. */
const KEEP_ALIVE_MS = 4_000;

/**
 * One connection at a time to one origin, made when first needed and again after it was lost, each time resolved and vetted
 * anew: so the address of a pooled connection is one that was vetted when it was dialled.
 */
export class Lane {
  private readonly client: Client;
  private dialling: Dialling = { stage: 'resolve', cancelled: false };
  private socket?: Socket;
  /** Exchanges completed on the present connection. */
  served = 0;
  /** Some of the request is still on this machine. */
  isSending = false;

  constructor(origin: string, target: DialTarget, settings: DialSettings) {
    this.client = new Client(origin, {
      pipelining: 1,
      // The whole exchange has one timer, in the sender.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: 60_000,
      allowH2: false,
      connect: (_options, callback) => void this.connect(target, settings, callback),
    });
  }

  /** Where this lane's exchange stands before its request is written. */
  get stage(): 'resolve' | 'connect' | 'tls' {
    return this.dialling.stage;
  }

  /** Notices a request that is too large to leave this machine at once: `isSending` until all of it has left. */
  watchSending(): void {
    const { socket } = this;
    this.isSending = socket?.writableNeedDrain ?? false;
    if (this.isSending) socket!.once('drain', () => (this.isSending = false));
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.client.dispatch(options, handler);
  }

  private async connect(target: DialTarget, settings: DialSettings, callback: buildConnector.Callback): Promise<void> {
    this.dialling = { stage: 'resolve', cancelled: false };
    this.socket = undefined;
    let socket: Socket;
    try {
      socket = await dial(target, settings, this.dialling);
    } catch (error) {
      callback(error as Error, null);
      return;
    }
    this.served = 0;
    this.socket = socket;
    callback(null, socket);
  }

  /** Drops the connection, also one that is being made. */
  destroy(): void {
    this.dialling.cancelled = true;
    this.dialling.socket?.destroy();
    void this.client.destroy(null);
  }
}
