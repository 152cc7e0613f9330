import type { CommandContext } from '#event-store';
import type { Aggregate } from '#kernel';

/** The one command of the bus: run `command` on the thing `id`. The decider knows what it means. */
export class Run {
  constructor(
    readonly aggregate: Aggregate,
    readonly id: string,
    readonly command: { readonly type: string; readonly at: CommandContext['at']; readonly actor: string },
    readonly context: CommandContext,
    /** If-Match. */
    readonly expected: number | undefined,
  ) {}
}
