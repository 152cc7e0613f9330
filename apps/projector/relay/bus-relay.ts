import { Counter } from 'prom-client';
import type { Bus, BusMessage, ReceivedMessage, Subscription } from '#messaging';
import { startRelay } from '#messaging/outbox/relay';
import { watchLag, type Engines } from '#platform';
import { holdsSealed, sealedIn } from '#personal-data';
import { fromBusMessage, SEALED_HEADER, TOPICS } from '#public-messages';

/** Carries the outbox to the bus where that is another engine; on PostgreSQL the outbox is the bus, and there is nothing to carry. */
export class BusRelay {
  private subscription: Subscription | undefined;

  constructor(
    private readonly engines: Pick<Engines, 'bus' | 'log' | 'metrics' | 'health' | 'keys'> & { readonly outbox: Bus },
  ) {}

  async start(): Promise<void> {
    const { bus, outbox, log, metrics, health } = this.engines;
    const topics = Object.values(TOPICS);
    if (bus === outbox) return bus.ensureTopics(topics);
    const relayed = new Counter({
      name: 'postledger_relay_messages_total',
      help: 'Messages carried from the outbox to the bus',
      registers: [metrics],
    });
    const subscription = await startRelay({
      outbox,
      target: bus,
      topics,
      open: (message) => this.opened(message),
      onRelayed: (count) => relayed.inc(count),
      onFault: (error) => {
        health.fault('relay', error);
        log.warn({ err: error.message }, 'relay: a passing fault');
      },
    });
    this.subscription = subscription;
    const help = 'Messages in the outbox that the bus does not have yet';
    watchLag(metrics, 'postledger_relay_lag_messages', help, () => subscription.lag());
    health.part('relay', async () => ({ ok: true, lag: await subscription.lag() }));
  }

  /**
   * A consumer of Kafka reads plain CloudEvents; what was erased before it went there is null. A header has the sealed values, for our
   * own apps, which store nothing else.
   */
  private opened(message: ReceivedMessage): BusMessage | Promise<BusMessage> {
    if (!holdsSealed(message.value)) return message;
    const { workspace } = fromBusMessage(message);
    return this.engines.keys.open(workspace, message.value).then(({ text: value }) => {
      const sealed = JSON.stringify(sealedIn(JSON.parse(message.value)));
      return { ...message, headers: { ...message.headers, [SEALED_HEADER]: sealed }, value };
    });
  }

  /** After the projector, so that what it wrote last is carried too where there is time. */
  async stop(): Promise<void> {
    await this.subscription?.close();
  }
}
