import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';

/** One request as it came, byte for byte. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Milliseconds of the monotonic clock. */
  readonly at: number;
}

/** What to answer: a status, a status with headers and text, `hang` (never), or a function that answers by itself. */
export type Reply =
  | number
  | 'hang'
  | { status: number; headers?: Record<string, string>; text?: string }
  | ((received: Received, response: ServerResponse) => void);

/** A real webhook receiver on loopback that does what it is told and keeps all it gets. */
export class Receiver {
  readonly received: Received[] = [];
  private readonly scripts = new Map<string, Reply[]>();
  private readonly standing = new Map<string, Reply>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async open(port = 0): Promise<Receiver> {
    const server = createServer();
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((done, fail) => server.once('error', fail).listen(port, '127.0.0.1', done));
    const receiver = new Receiver(server, (server.address() as { port: number }).port);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () =>
        receiver.answer(
          {
            path: request.url ?? '/',
            headers: request.headers,
            body: Buffer.concat(chunks).toString('utf8'),
            at: performance.now(),
          },
          response,
        ),
      );
    });
    return receiver;
  }

  url(path = '/hook'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** The next requests on `path` get these replies, one each; then the standing one. */
  script(path: string, ...replies: Reply[]): void {
    this.scripts.set(path, [...(this.scripts.get(path) ?? []), ...replies]);
  }

  /** What `path` gets when nothing is scripted; 204 unless told otherwise. */
  always(path: string, reply: Reply): void {
    this.standing.set(path, reply);
  }

  on(path: string): Received[] {
    return this.received.filter((one) => one.path === path);
  }

  /** The parsed bodies that came on `path`, in order. */
  bodies<T = { id: string; type: string; createdAt: string; data: Record<string, unknown> }>(path = '/hook'): T[] {
    return this.on(path).map(({ body }) => JSON.parse(body) as T);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  private answer(received: Received, response: ServerResponse): void {
    this.received.push(received);
    const reply = this.scripts.get(received.path)?.shift() ?? this.standing.get(received.path) ?? 204;
    if (reply === 'hang') return;
    if (typeof reply === 'function') return reply(received, response);
    const { status, headers, text } =
      typeof reply === 'number' ? { status: reply, headers: undefined, text: undefined } : reply;
    response.writeHead(status, headers).end(text);
  }
}
