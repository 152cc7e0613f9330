import { instant } from '#kernel';
import type { Contract } from '#webhook-contracts';
import type { Exchange } from '#webhook-sending';
import { nextStep } from '#webhooks';
import type { Decision } from '../record/outcome';

/** What follows an exchange: the domain's pure decision, in this service's words. `chance` in [0, 1] is the jitter. */
export function decide(
  exchange: Omit<Exchange, 'statusCode'> & { readonly statusCode?: number | undefined },
  contract: Contract,
  tries: number,
  { scale, chance }: { scale: number; chance: number },
): Decision {
  if (exchange.ok) return { state: 'delivered' };
  const number = tries + 1;
  const step = nextStep(
    {
      ok: false,
      statusCode: exchange.statusCode,
      retryAfter: exchange.retryAfter,
      endedAt: instant(exchange.startedAt + exchange.durationMs),
      number,
    },
    { delaysSeconds: contract.retryDelaysSeconds, jitter: contract.jitter, scale, chance },
  );
  switch (step.kind) {
    case 'delivered':
      return { state: 'delivered' };
    case 'retry':
      return { state: 'retrying', tries: number, dueMs: Date.parse(step.at) };
    case 'parked':
      return { state: 'parked', tries: number };
    case 'gone':
      return { state: 'discarded', reason: 'gone' };
  }
}
