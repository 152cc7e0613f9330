import { createServer, type RequestListener, type Server } from 'node:http';
import { edgeProblem, PROBLEM_TYPE, type Refusal } from './edge-problem';

const STARTING: Refusal = [503, 'ENGINE_UNAVAILABLE', 'The process is starting.'];
const RETRY_AFTER_SECONDS = 1;

/**
 * Answers on the app's port while it starts, which may be long where it waits for an engine: it is live, it is not ready and says for what it
 * waits, and everything else is a 503 with Retry-After. So whoever watches it need not take a wait for a death.
 */
export class StartupServer {
  private server: Server | undefined;
  private waitsFor: string | undefined;

  constructor(
    private readonly app: string,
    private readonly at: { readonly host: string; readonly port: number },
  ) {}

  /** Does nothing when it is open, nor for port 0, which nobody could know. Rejects when the port cannot be had. */
  async open(): Promise<void> {
    if (this.server || this.at.port === 0) return;
    const server = createServer(this.answer);
    await new Promise<void>((done, fail) => server.once('error', fail).listen(this.at, done));
    this.server = server;
  }

  /** What is waited for, in a sentence; undefined when it is there. */
  wait(sentence: string | undefined): void {
    this.waitsFor = sentence;
  }

  /** Resolves when the port is free. */
  async close(): Promise<void> {
    const { server } = this;
    if (!server) return;
    this.server = undefined;
    const closed = new Promise((done) => server.close(done));
    server.closeAllConnections();
    await closed;
  }

  private readonly answer: RequestListener = ({ url = '' }, response) => {
    const say = (status: number, type: string, body: string) =>
      response.writeHead(status, { 'content-type': type, connection: 'close' }).end(body);
    const json = 'application/json; charset=utf-8';
    const path = url.split('?', 1)[0];
    if (path === '/health/live') return say(200, json, JSON.stringify({ status: 'live', app: this.app }));
    response.setHeader('retry-after', RETRY_AFTER_SECONDS);
    if (path !== '/health/ready') return say(STARTING[0], PROBLEM_TYPE, edgeProblem(STARTING));
    const process = { ok: false, detail: this.waitsFor ?? STARTING[2] };
    return say(STARTING[0], json, JSON.stringify({ status: 'unavailable', parts: { process } }));
  };
}
