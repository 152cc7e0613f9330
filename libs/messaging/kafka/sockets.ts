import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

const KEEP_ALIVE_MS = 60_000;

/** A connection to a broker, over TLS where it has settings for that. `onConnect` is called once it can be written to. */
export function socketTo(
  {
    host,
    port,
    ssl,
  }: { readonly host: string; readonly port: number; readonly ssl?: ConnectionOptions | boolean | undefined },
  onConnect: () => void,
): Socket {
  if (!ssl) return connect({ host, port }, onConnect);
  const name = isIP(host) === 0 && { servername: host };
  return connectTls({ ...name, ...(ssl === true ? {} : ssl), host, port }, onConnect);
}

/** Sockets as kafkajs makes its own. */
export const ownSockets: ISocketFactory = ({ onConnect, ...to }) =>
  socketTo(to, onConnect).setKeepAlive(true, KEEP_ALIVE_MS);
