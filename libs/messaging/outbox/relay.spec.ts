import { eventually } from '#testing';
import { Ledger, roundRobin } from '../conformance/ledger';
import { MemoryBus, MemoryLog } from '../memory/memory-bus';
import { startRelay } from './relay';

const TOPIC = 'test.v1';

describe('a relay', () => {
  it('is held up for a moment only by a bus that does not answer, and leaves the messages to the next one', async () => {
    const log = new MemoryLog();
    const outbox = new MemoryBus(log);
    const sent = roundRobin(TOPIC, ['a', 'b'], 4);
    const silent = new MemoryBus();
    let asked = 0;
    silent.publish = () => (asked++, new Promise(() => undefined));
    await outbox.publish(sent);
    const stuck = await startRelay({ outbox, target: silent, topics: [TOPIC], lastMs: 50 });
    await eventually(() => expect(asked).toBe(1));
    await stuck.close();

    const target = new MemoryBus();
    const ledger = new Ledger();
    await target.subscribe({ group: 'all', topics: [TOPIC], onBatch: ledger.handle });
    const relay = await startRelay({ outbox, target, topics: [TOPIC] });
    await eventually(() => expect(ledger.missing(sent)).toEqual([]));
    await Promise.all([relay.close(), target.close(), outbox.close()]);
  });
});
