import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { decode, encode, type Answer, type Packet } from 'dns-packet';

/** What a name has at its nth question of that type (from 1); undefined: there is no such name. */
export type Zone = (name: string, type: 'A' | 'AAAA', nth: number) => readonly string[] | undefined;

/** A name server on loopback that says what a test wants, and remembers what it was asked. */
export class NameServer {
  /** `A hooks.example.org`, one for each question. */
  readonly asked: string[] = [];

  private constructor(
    private readonly socket: Socket,
    readonly port: number,
  ) {}

  static async open(zone: Zone): Promise<NameServer> {
    const socket = createSocket('udp4');
    await new Promise<void>((up) => socket.bind(0, '127.0.0.1', up));
    const server = new NameServer(socket, (socket.address() as AddressInfo).port);
    socket.on('message', (message, from) => {
      const { id, questions } = decode(message) as Packet & { id: number };
      const { name, type } = questions![0]! as { name: string; type: 'A' | 'AAAA' };
      const question = `${type} ${name}`;
      server.asked.push(question);
      const found = zone(name, type, server.asked.filter((each) => each === question).length);
      const answers = (found ?? []).map((data): Answer => ({ type, name, ttl: 3_600, data }) as Answer);
      // Recursion wanted and available; rcode 3 is NXDOMAIN.
      const flags = 0x8180 | (found ? 0 : 3);
      socket.send(encode({ type: 'response', id, flags, questions, answers }), from.port, from.address);
    });
    return server;
  }

  close(): void {
    this.socket.close();
  }
}
