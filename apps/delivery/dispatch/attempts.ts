import { signHeaders } from '#webhook-contracts';
import type { Exchange, Sender } from '#webhook-sending';
import { closedReason, type Endpoint } from '../endpoints/endpoint';
import type { Metrics } from '../metrics';
import type { Decision, Outcome } from '../record/outcome';
import { decide } from './decide';
import type { Task } from './task';

export interface AttemptsNeeds {
  readonly sender: Sender;
  readonly metrics: Metrics;
  readonly onFault: (error: Error, endpoint: Endpoint) => void;
  readonly retryScale: number;
}

/** One attempt: signs, sends, and decides what follows. */
export class Attempts {
  private readonly abort = new AbortController();

  constructor(private readonly needs: AttemptsNeeds) {}

  /** What is under way ends without an outcome. */
  stop(): void {
    this.abort.abort();
  }

  /** The headers of an attempt; undefined when it cannot be signed, which is told as a fault. */
  sign({ messageId: id, type, body, sequence, replay }: Task, endpoint: Endpoint, now: number) {
    const timestampSeconds = Math.floor(now / 1000);
    try {
      const delivery = { id, type, body, timestampSeconds, sequence, replay };
      return signHeaders(endpoint.contract, endpoint.liveSecrets(now), delivery);
    } catch (error) {
      this.needs.onFault(error as Error, endpoint);
      return undefined;
    }
  }

  send(task: Task, { contract, row }: Endpoint, headers: Record<string, string>): Promise<Exchange> {
    return this.needs.sender.send({
      url: row.config.targetUrl,
      headers,
      body: task.body,
      timeoutMs: contract.timeoutSeconds * 1000,
      signal: this.abort.signal,
    });
  }

  /** Whether it was ended by us, and so has no outcome. */
  wasStopped({ error }: Exchange): boolean {
    return this.abort.signal.aborted && error?.stage === 'aborted';
  }

  /**
   * `endpoint` is as it is now: what was closed while the attempt was under way gets no other one. When the answer does not speak for its
   * present target, but for one that it had before, a 410 is a failure like others.
   */
  outcome(task: Task, exchange: Exchange, endpoint: Endpoint, speaksForTarget: boolean): Outcome {
    const { metrics, retryScale: scale } = this.needs;
    metrics.attemptSeconds.observe(exchange.durationMs / 1000);
    metrics.attempts.inc({ outcome: outcomeOf(exchange) });
    const counts = speaksForTarget ? exchange : { ...exchange, statusCode: undefined };
    const decision = decide(counts, endpoint.contract, task.tries, { scale, chance: Math.random() });
    const isInVain = decision.state === 'retrying' && !endpoint.open;
    return {
      task,
      exchange,
      decision: isInVain ? givenUp(endpoint, closedReason(endpoint.row)) : decision,
      asOf: endpoint.row.position,
    };
  }
}

/** An attempt that was not made, because it could not be signed. */
export const unsigned = (now: number): Exchange => ({
  ok: false,
  error: { stage: 'send', message: 'It could not be signed' },
  startedAt: now,
  durationMs: 0,
});

/** What follows for a delivery that is not sent because of how its endpoint stands. */
export const givenUp = ({ row }: Endpoint, reason: ReturnType<typeof closedReason>): Decision => ({
  state: 'discarded',
  reason,
  asOf: row.position,
});

const outcomeOf = ({ ok, error, statusCode }: Exchange): string =>
  ok ? 'delivered' : (error?.stage ?? `${Math.floor((statusCode ?? 0) / 100)}xx`);
