import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { verifyPostEz, verifyStandard, WebhookVerificationError } from '#webhook-signing';

/** What one mailbox of the receiver got, and whether it proved to be ours. */
export interface Receipt {
  readonly mailbox: string;
  readonly type: string;
  readonly verified: boolean;
  readonly reason?: string;
  /** The answer that the receiver gave. */
  readonly status: number;
  readonly sequence?: string;
}

interface Mailbox {
  readonly scheme: 'standard' | 'post-ez';
  secret: string;
  /** How many of the next requests to refuse with 503, as a receiver does that is being deployed. */
  refusals: number;
}

/** What a subscriber would write: a small server that verifies every webhook on its raw bytes before it believes it. */
export class SampleReceiver {
  private readonly mailboxes = new Map<string, Mailbox>();
  private readonly server: Server;

  constructor(private readonly onReceipt: (receipt: Receipt) => void) {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const status = this.receive(
          (request.url ?? '/').slice(1),
          request.headers,
          Buffer.concat(chunks).toString('utf8'),
        );
        response.writeHead(status).end();
      });
    });
  }

  /** Listens on loopback; port 0 takes any. Returns the port. */
  listen(port: number): Promise<number> {
    return new Promise((done, fail) => {
      this.server.once('error', fail);
      this.server.listen(port, '127.0.0.1', () => done((this.server.address() as { port: number }).port));
    });
  }

  open(name: string, mailbox: Mailbox): void {
    this.mailboxes.set(name, mailbox);
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private receive(name: string, headers: IncomingHttpHeaders, body: string): number {
    const mailbox = this.mailboxes.get(name);
    if (!mailbox) return 404;
    const sequence = headers['webhook-sequence'];
    const facts = { mailbox: name, type: typeOf(body), ...(typeof sequence === 'string' && { sequence }) };
    try {
      const verify = mailbox.scheme === 'standard' ? verifyStandard : verifyPostEz;
      verify({ secret: mailbox.secret, headers: headers as Record<string, string>, body });
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      this.onReceipt({ ...facts, verified: false, reason: error.code, status: 400 });
      return 400;
    }
    const status = mailbox.refusals > 0 ? (mailbox.refusals--, 503) : 204;
    this.onReceipt({ ...facts, verified: true, status });
    return status;
  }
}

function typeOf(body: string): string {
  try {
    return String((JSON.parse(body) as { type?: unknown }).type);
  } catch {
    return 'not JSON';
  }
}
