import { connect as connectTls } from 'node:tls';
import { connect, type Socket } from 'node:net';
import { busConformance } from '#messaging/conformance/bus.conformance';
import { KafkaBus } from '#messaging/kafka/kafka-bus';
import { KafkaNode } from './kafka';

const reset = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

/** A bus whose connections can be cut or refused for good, without touching those of others. */
function doorOf(): {
  factory: NonNullable<ConstructorParameters<typeof KafkaBus>[1]>['socketFactory'];
  cut(): void;
  shut(): void;
  open(): void;
} {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const cut = (): void => sockets.forEach((socket) => socket.destroy(reset()));
  return {
    factory: ({ host, port, ssl, onConnect }) => {
      const socket = ssl ? connectTls({ host, port, ...ssl }, onConnect) : connect({ host, port }, onConnect);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      if (!isOpen) socket.destroy(reset());
      return socket;
    },
    cut,
    shut() {
      isOpen = false;
      cut();
    },
    open() {
      isOpen = true;
    },
  };
}

busConformance(
  `KafkaBus on Apache Kafka ${KafkaNode.version}`,
  async () => {
    const node = await KafkaNode.start();
    const doors = new Map<KafkaBus, ReturnType<typeof doorOf>>();
    const killed: KafkaBus[] = [];
    return {
      async open() {
        const door = doorOf();
        const bus = new KafkaBus(node.url, {
          // Longer than a busy machine keeps a member waiting: one that is missed gets its messages twice.
          sessionTimeoutMs: 6_000,
          ...(door.factory && { socketFactory: door.factory }),
        });
        doors.set(bus, door);
        return bus;
      },
      kill(bus) {
        doors.get(bus as KafkaBus)?.shut();
        killed.push(bus as KafkaBus);
      },
      cut: () => doors.forEach(({ cut }) => cut()),
      async close() {
        // The tests are over: what would go on knocking at a shut door may leave in peace.
        doors.forEach(({ open }) => open());
        await Promise.allSettled(killed.map((bus) => bus.close()));
        await node.remove();
      },
    };
  },
  { within: 60_000 },
);
