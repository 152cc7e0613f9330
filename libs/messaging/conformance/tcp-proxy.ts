import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A door between a client and an engine that can be slammed. */
export interface TcpProxy {
  readonly port: number;
  /** Breaks the connections of this moment; new ones pass. */
  cut(): void;
  /** Breaks them and refuses new ones: to the engine, the client's process is dead. */
  shut(): void;
  /** Lets connections pass again. */
  open(): void;
  close(): Promise<void>;
}

/** Listens on a free loopback port and passes bytes to `host:port`. */
export async function tcpProxy(host: string, port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server = createServer((client) => {
    if (!isOpen) return client.destroy();
    const engine = connect(port, host);
    for (const [socket, other] of [
      [client, engine],
      [engine, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.pipe(other);
      // An error is followed by `close`, which is where both ends go down.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    shut() {
      isOpen = false;
      cut();
    },
    open() {
      isOpen = true;
    },
    async close() {
      cut();
      await new Promise((closed) => server.close(closed));
    },
  };
}
