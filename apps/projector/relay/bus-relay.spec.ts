import { pino } from 'pino';
import { Registry } from 'prom-client';
import { MemoryBus } from '#messaging/memory/memory-bus';
import type { SubjectKeys } from '#personal-data';
import { Health } from '#platform';
import { BusRelay } from './bus-relay';

describe('the relay', () => {
  it('leaves the other metrics alone while the outbox is away', async () => {
    const outbox = new MemoryBus();
    const subscribe = outbox.subscribe.bind(outbox);
    outbox.subscribe = async (options) =>
      Object.assign(await subscribe(options), { lag: () => Promise.reject(new Error('away')) });
    const [metrics, health] = [new Registry(), new Health()];
    const log = pino({ level: 'silent' });
    const relay = new BusRelay({ outbox, bus: new MemoryBus(), metrics, health, log, keys: {} as SubjectKeys });
    await relay.start();
    expect(await metrics.metrics()).toContain('postledger_relay_lag_messages Nan');
    expect((await health.ready()).parts).toMatchObject({ relay: { ok: false, detail: 'away' } });
    await relay.stop();
  });
});
