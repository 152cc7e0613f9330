import { createServer, type RequestListener, type Server } from 'node:http';
import { edgeProblem, PROBLEM_TYPE, type Refusal } from './edge-problem';

const STARTING: Refusal = [503, 'ENGINE_UNAVAILABLE', 'The process is starting.'];
const RETRY_AFTER_SECONDS = 1;

/**
 * Answers on the app's port while its start waits for something: it is live, it is not ready and says for what it waits, and everything else is
 * a 503 with Retry-After. So whoever watches it need not take a wait for a death.
 */
export class StartupServer {
  private opening: Promise<Server | undefined> | undefined;
  private waitsFor: string | undefined;
  private isOver = false;

  constructor(
    private readonly app: string,
    private readonly at: { readonly host: string; readonly port: number },
  ) {}

  /** What is waited for, in a sentence. From the first one on the port answers; where it cannot be had, the start itself will say so. */
  wait(sentence: string): void {
    this.waitsFor = sentence;
    // Nobody could know which port 0 is.
    if (this.at.port !== 0 && !this.isOver) this.opening ??= this.open();
  }

  /** It is there, and the start goes on. */
  goOn(): void {
    this.waitsFor = undefined;
  }

  /** Resolves when the port is free; it answers no more. */
  async close(): Promise<void> {
    this.isOver = true;
    const server = await this.opening;
    if (!server) return;
    const closed = new Promise((done) => server.close(done));
    server.closeAllConnections();
    await closed;
  }

  private open(): Promise<Server | undefined> {
    const server = createServer(this.answer);
    return new Promise((done) => {
      server.once('error', () => done(undefined)).listen(this.at, () => done(server));
    });
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
