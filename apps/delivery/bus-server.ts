import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { Bus, ReceivedMessage, Subscription } from '#messaging';

/** The pattern of the one handler that takes whole batches. */
export const BATCH = 'postledger.batch';

export interface BusServerOptions {
  readonly bus: Bus;
  readonly group: string;
  readonly topics: readonly string[];
  readonly onFault: (error: Error) => void;
  /** A message that can never be handled was put aside. */
  readonly onParked?: (message: ReceivedMessage, reason: string) => void;
}

/**
 * Nest's transport over the Bus port, so whichever bus the process has: hands whole batches to the handler of BATCH, and
 * acknowledges them when it has resolved.
 */
export class BusServer extends Server implements CustomTransportStrategy {
  private subscription: Subscription | undefined;

  constructor(private readonly options: BusServerOptions) {
    super();
  }

  listen(callback: (error?: unknown) => void): void {
    this.subscribe().then(() => callback(), callback);
  }

  async close(): Promise<void> {
    await this.subscription?.close();
    this.subscription = undefined;
  }

  /** Messages that wait for the group. */
  lag(): Promise<number> {
    return this.subscription?.lag() ?? Promise.resolve(0);
  }

  override on(): never {
    throw new Error('The bus server has no events of its own');
  }

  override unwrap<T>(): T {
    return this.options.bus as T;
  }

  private async subscribe(): Promise<void> {
    const handler = this.getHandlerByPattern(BATCH);
    if (!handler) throw new Error(`No handler takes ${BATCH}`);
    const { bus, group, topics, onFault, onParked } = this.options;
    await bus.ensureTopics(topics);
    const onBatch = async (messages: readonly ReceivedMessage[]): Promise<void> => {
      // Nest gives a failure back as an Observable that fails.
      const answer = (await lastValueFrom(this.transformToObservable(await handler(messages)))) as { failure?: Error };
      if (answer.failure) throw answer.failure;
    };
    this.subscription = await bus.subscribe({ group, topics, onBatch, onFault, ...(onParked && { onParked }) });
  }
}
