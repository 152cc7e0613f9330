import { createServer as createHttp, type RequestListener } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { eventually } from '#testing';
import type { Client } from '../../harness/client';

export interface Attempt {
  readonly statusCode?: number;
  readonly error?: string;
  readonly response?: string;
  readonly durationMs: number;
}
export interface Delivery {
  readonly id: string;
  readonly status: string;
  readonly nextAttemptAt: string | null;
  readonly attempts: readonly Attempt[];
}

/** Servers of a test on loopback, closed with all their connections in the end. */
export class Ground {
  private readonly closing: (() => void)[] = [];

  async listen(server: Server | HttpsServer): Promise<number> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((up) => server.listen(0, '127.0.0.1', up));
    this.closing.push(() => {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    });
    return (server.address() as AddressInfo).port;
  }

  /** A target that answers as `listener` does. */
  async http(listener: RequestListener): Promise<string> {
    return `http://127.0.0.1:${await this.listen(createHttp(listener))}/hook`;
  }

  close(): void {
    for (const close of this.closing) close();
  }
}

/** Registers a target, lets one event happen, and waits until its delivery has been tried so often, as its page of facts says. */
export async function attempt(
  client: Client,
  targetUrl: string,
  { attempts = 1, within = 60_000 } = {},
): Promise<Delivery> {
  const { id: endpointId } = await client.endpoint(targetUrl, { eventTypes: ['account.connected'] });
  await client.account('security', 'mastodon');
  return eventually(
    async () => {
      const { data } = (await client.get<{ data: Delivery[] }>(`/webhooks/deliveries?endpointId=${endpointId}`)).body;
      const delivery = (await client.get<Delivery>(`/webhooks/deliveries/${data[0]!.id}`)).body;
      expect(delivery.status).not.toBe('pending');
      expect(delivery.attempts.length).toBeGreaterThanOrEqual(attempts);
      await client.delete(`/webhooks/endpoints/${endpointId}`);
      return delivery;
    },
    { within, every: 20 },
  );
}

/** A failed first attempt at this stage, with its next one in the future. */
export const failedAt = (stage: string): unknown =>
  expect.objectContaining({
    status: 'retrying',
    nextAttemptAt: expect.stringMatching(/^\d{4}-/),
    attempts: [expect.objectContaining({ error: expect.stringMatching(new RegExp(`^${stage}: .`)) })],
  });
