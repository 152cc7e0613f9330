import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { ReceivedMessage } from '#messaging';
import { BATCH } from './bus-server';
import { DeliveryWorker } from './worker/delivery-worker';

/** Where the bus hands its batches over. */
@Controller()
export class IntakeController {
  constructor(@Inject(DeliveryWorker) private readonly worker: DeliveryWorker) {}

  @MessagePattern(BATCH)
  async take(@Payload() messages: readonly ReceivedMessage[]): Promise<{ readonly failure?: Error }> {
    try {
      await this.worker.handle(messages);
      return {};
    } catch (error) {
      // Nest would hide what it was, and the bus parks a poison message by its class.
      return { failure: error as Error };
    }
  }
}
