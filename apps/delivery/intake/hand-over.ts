import type { Batch, Task } from '../dispatch/task';
import { Place, type Draft } from './draft';

export interface HandOverNeeds {
  readonly dispatch: (tasks: readonly Task[]) => void;
  /** Deliveries were left waiting in delivery.retry (`retry`) or delivery.queue (`queue`). */
  readonly waiting: (where: 'retry' | 'queue', endpoints: ReadonlySet<number>) => void;
}

/**
 * The last step of whatever writes deliveries, once they are committed: what has a place in memory goes to dispatch, and
 * somebody is told of what waits. `sequences` has the number of each of the draft's deliveries.
 */
export function handOver(
  draft: Draft,
  sequences: readonly number[],
  batch: Batch,
  { dispatch, waiting }: HandOverNeeds,
): void {
  const tasks: Task[] = [];
  const waits = { retry: new Set<number>(), queue: new Set<number>() };
  const sharers = draft.bodies.map(() => 0);
  for (const { body } of draft.deliveries) sharers[body]!++;
  draft.deliveries.forEach(({ id, endpoint, rendered, body, place, message, coalesce }, ordinal) => {
    if (place === Place.memory) {
      tasks.push({
        id,
        endpoint: endpoint.no,
        sequence: sequences[ordinal]!,
        messageId: rendered.id,
        type: rendered.type,
        key: draft.messages[message]!.key,
        body: rendered.body,
        size: rendered.body.length / sharers[body]!,
        number: 1,
        tries: 0,
        replay: false,
        ladder: 0,
        exceptional: false,
        coalesce,
        batch,
        lane: null,
      });
    } else if (place === Place.retry) waits.retry.add(endpoint.no);
    else if (place === Place.queue) waits.queue.add(endpoint.no);
  });
  batch.size = tasks.length;
  if (tasks.length > 0) dispatch(tasks);
  if (waits.retry.size > 0) waiting('retry', waits.retry);
  if (waits.queue.size > 0) waiting('queue', waits.queue);
}
