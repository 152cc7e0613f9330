import type { Published } from '#messaging';
import { outboxWrite, publishedOf } from '#messaging/outbox/outbox';
import { messagesOf, toBusMessage } from '#public-messages';
import type { Projection } from './projection';

/**
 * Says in public what the log holds: messages and checkpoint in one transaction, so that none is missed and none said twice.
 * `handOver` gives them to the bus of this process once they are there. It is never built anew.
 */
export const outboxProjection = (handOver: (published: Published) => void): Projection => ({
  name: 'outbox',
  shape: 'outbox',
  paceMs: 0,
  urgent: true,
  wants: () => true,
  build: () => ({
    prepare: async () => undefined,
    async changes(_, { events }) {
      const messages = events.flatMap((event) => messagesOf(event).map(toBusMessage));
      if (messages.length === 0) return { writes: [] };
      return { writes: [outboxWrite(messages)], done: ([answer]) => handOver(publishedOf(messages, answer!)) };
    },
  }),
});
