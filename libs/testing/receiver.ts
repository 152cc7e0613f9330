import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as it came in: raw bytes, header names in lower case. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** How one request is answered. `hang` never answers; `reset` cuts the connection; `dripMs` sends a byte of the body at a time. */
export type Answer =
  | number
  | 'hang'
  | 'reset'
  | {
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
      readonly afterMs?: number;
      readonly dripMs?: number;
    };

export type Script = (request: Received, nth: number) => Answer;

/** A webhook receiver on loopback that answers as told and keeps what it was sent. */
export class Receiver {
  readonly requests: Received[] = [];
  private readonly scripts = new Map<string, Script>();
  private readonly counts = new Map<string, number>();
  private readonly sockets = new Set<Socket>();
  private readonly hanging = new Set<ServerResponse>();
  private fallback: Script = () => 200;

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(port = 0): Promise<Receiver> {
    const server = createServer({ keepAlive: true });
    await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
    const receiver = new Receiver(server, (server.address() as AddressInfo).port);
    server.on('connection', (socket) => {
      receiver.sockets.add(socket);
      socket.on('close', () => receiver.sockets.delete(socket));
    });
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('error', () => response.destroy());
      request.on('end', () => {
        const received = {
          path: request.url ?? '/',
          headers: request.headers,
          body: Buffer.concat(chunks).toString('utf8'),
          at: Date.now(),
        };
        receiver.requests.push(received);
        receiver.answer(received, response);
      });
    });
    return receiver;
  }

  url(path = '/'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Answers requests to `path` by `script`; a list is answered through once, its last entry for ever after. */
  on(path: string, script: Script | readonly Answer[]): this {
    this.scripts.set(
      path,
      typeof script === 'function' ? script : (_, nth) => script[Math.min(nth, script.length - 1)]!,
    );
    this.counts.delete(path);
    return this;
  }

  /** Answers what no path has a script for. */
  otherwise(script: Script): this {
    this.fallback = script;
    return this;
  }

  /** What came to a path, oldest first. */
  at(path: string): Received[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** Cuts what hangs. */
  releaseHanging(): void {
    for (const response of this.hanging) response.destroy();
    this.hanging.clear();
  }

  async stop(): Promise<void> {
    this.sockets.forEach((socket) => socket.destroy());
    await new Promise<void>((done) => this.server.close(() => done()));
  }

  private answer(request: Received, response: ServerResponse): void {
    const nth = this.counts.get(request.path) ?? 0;
    this.counts.set(request.path, nth + 1);
    const answer = (this.scripts.get(request.path) ?? this.fallback)(request, nth);
    if (answer === 'hang') return void this.hanging.add(response);
    if (answer === 'reset') return void response.destroy();
    if (typeof answer === 'number') return void response.writeHead(answer).end();
    const { status, headers = {}, body = '', afterMs = 0, dripMs } = answer;
    setTimeout(() => {
      response.writeHead(status, headers);
      if (dripMs === undefined) response.end(body);
      else drip(response, body, dripMs);
    }, afterMs);
  }
}

function drip(response: ServerResponse, body: string, everyMs: number): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (sent >= body.length || response.destroyed) {
      clearInterval(timer);
      response.end();
    } else response.write(body[sent++]);
  }, everyMs);
}
