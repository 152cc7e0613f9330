import type { Exchange } from '#webhook-sending';
import type { Task } from '../dispatch/task';

/** What follows for a delivery. `discarded` comes with its reason. */
export type Decision =
  | { readonly state: 'delivered' }
  | { readonly state: 'retrying'; readonly tries: number; readonly dueMs: number }
  | { readonly state: 'parked'; readonly tries: number }
  /** It was not attempted: it waits in nobody's hands, so many milliseconds at least, for what it needs to be there again. */
  | { readonly state: 'waiting'; readonly ms: number }
  | {
      readonly state: 'discarded';
      readonly reason: 'gone' | 'disabled' | 'deleted' | 'discarded';
      /** Log position of the endpoint's newest change that was known; absent where an answer or somebody decided it. */
      readonly asOf?: number;
    };

export interface Outcome {
  readonly task: Task;
  /** Absent when nothing was attempted. */
  readonly exchange: Exchange | null;
  readonly decision: Decision;
  /** Log position of the newest change of its endpoint that was known when the exchange ended. */
  readonly asOf?: number;
}

/** The attempt itself was answered 410; what is given up because of it, or with a closed endpoint, says so as of a position. */
export const isFarewell = ({ exchange, decision }: Outcome): boolean =>
  exchange !== null && decision.state === 'discarded' && decision.reason === 'gone' && decision.asOf === undefined;
