import { Recent } from '#kernel';
import { bareHost, vetTarget } from './vet-target';
import type { DialSettings } from './dial';
import type { Exchange, ExchangeRequest } from './exchange';
import { Origin } from './origin';
import { systemLookup, type Lookup } from './resolver';
import { Sending } from './sending';

const REMEMBERED_TARGETS = 40_000;
const SWEEP_MS = 5_000;

export interface SenderSettings {
  /** Lets loopback be reached, by http too. */
  readonly sandbox: boolean;
  /** Name servers to ask, `address[:port]`; the machine's hosts file and name servers unless given. */
  readonly nameServers?: readonly string[] | undefined;
  /** How names are resolved, if not so. */
  readonly lookup?: Lookup;
  /** Connections to one origin at a time (1,024): generous, since endpoints that share an origin must not hold each other up. */
  readonly connectionsPerOrigin?: number;
  /** How much of a response is read and kept (16,384). */
  readonly maxResponseBytes?: number;
  /** How long an origin that nothing is sent to keeps its place in memory (30,000 ms). */
  readonly idleOriginMs?: number;
  /** See DialSettings: trust anchors and re-routing for the specs of this library. No setting of the product reaches it. */
  readonly forTests?: DialSettings['forTests'];
}

export interface SenderStats {
  readonly origins: number;
  /** Exchanges under way, those that wait for a connection included. */
  readonly underWay: number;
  /** Exchanges that wait because their origin has all its connections in use. */
  readonly queued: number;
}

export interface Sender {
  /** One POST, from resolving to the last byte within `timeoutMs`. Never rejects: a failure is an Exchange with an error. */
  send(request: ExchangeRequest): Promise<Exchange>;
  stats(): SenderStats;
  /** Waits for what is under way, then closes every connection. A send after this is refused with stage `aborted`. */
  close(): Promise<void>;
}

interface Target {
  readonly origin: string;
  readonly path: string;
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

const refusal = (stage: 'refused' | 'aborted', message: string): Exchange => ({
  ok: false,
  error: { stage, message },
  startedAt: Date.now(),
  durationMs: 0,
});

/**
 * Sends webhooks to addresses that strangers chose: every connection is vetted when it is made (dial.ts), kept alive and pinned
 * to its address; redirects are not followed, responses not decompressed, proxies from the environment not used.
 */
export function createSender(settings: SenderSettings): Sender {
  const dialSettings: DialSettings = {
    sandbox: settings.sandbox,
    lookup: settings.lookup ?? systemLookup(settings.nameServers),
    forTests: settings.forTests,
  };
  const limit = settings.connectionsPerOrigin ?? 1_024;
  const maxResponseBytes = settings.maxResponseBytes ?? 16_384;
  const idleOriginMs = settings.idleOriginMs ?? 30_000;
  const targets = new Recent<string, Target | string>(REMEMBERED_TARGETS);
  const origins = new Map<string, Origin>();
  const underWay = new Set<Sending>();
  const bySignal = new WeakMap<AbortSignal, Set<Sending>>();
  let drained: (() => void) | undefined;
  let isClosed = false;

  const targetOf = (url: string): Target | string => {
    let target = targets.get(url);
    if (target !== undefined) return target;
    target = parseTarget(url, settings.sandbox);
    targets.set(url, target);
    return target;
  };

  const originOf = (target: Target): Origin => {
    let origin = origins.get(target.origin);
    if (!origin) origins.set(target.origin, (origin = new Origin(target.origin, target, dialSettings, limit)));
    return origin;
  };

  /** One listener a signal, however many exchanges hang on it. */
  const watch = (signal: AbortSignal, sending: Sending): void => {
    let sendings = bySignal.get(signal);
    if (!sendings) {
      const all = (sendings = new Set());
      bySignal.set(signal, all);
      signal.addEventListener('abort', () => all.forEach((each) => each.abort('Stopped by the sender')), {
        once: true,
      });
    }
    sendings.add(sending);
  };

  const sweep = setInterval(
    () => {
      const before = Date.now() - idleOriginMs;
      for (const [name, origin] of origins) {
        origin.sweep(performance.now());
        if (!origin.isIdle || origin.lastUsed > before) continue;
        origin.close();
        origins.delete(name);
      }
    },
    Math.min(SWEEP_MS, idleOriginMs),
  );
  sweep.unref();

  return {
    send(request) {
      if (isClosed) return Promise.resolve(refusal('aborted', 'The sender is closed'));
      if (request.signal?.aborted) return Promise.resolve(refusal('aborted', 'Stopped by the sender'));
      const target = targetOf(request.url);
      if (typeof target === 'string') return Promise.resolve(refusal('refused', target));
      return new Promise((resolve) => {
        const sending = new Sending(originOf(target), target.path, request, maxResponseBytes, (exchange, it) => {
          underWay.delete(it);
          if (request.signal) bySignal.get(request.signal)?.delete(it);
          resolve(exchange);
          if (underWay.size === 0) drained?.();
        });
        underWay.add(sending);
        if (request.signal) watch(request.signal, sending);
        sending.begin();
      });
    },

    stats() {
      let queued = 0;
      for (const origin of origins.values()) queued += origin.queued;
      return { origins: origins.size, underWay: underWay.size, queued };
    },

    async close() {
      isClosed = true;
      clearInterval(sweep);
      if (underWay.size > 0) await new Promise<void>((done) => (drained = done));
      for (const origin of origins.values()) origin.close();
      origins.clear();
    },
  };
}

/** What a URL says about where to connect, or why it is refused. */
function parseTarget(url: string, sandbox: boolean): Target | string {
  const vetted = vetTarget(url, { sandbox });
  if (!vetted.ok) return vetted.reason;
  const parsed = new URL(vetted.url);
  const secure = parsed.protocol === 'https:';
  return {
    origin: parsed.origin,
    path: parsed.pathname + parsed.search,
    host: bareHost(parsed),
    port: parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port),
    secure,
  };
}
