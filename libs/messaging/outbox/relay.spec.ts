import { eventually } from '#testing';
import type { BusMessage } from '../port/bus';
import { Ledger, roundRobin } from '../conformance/ledger';
import { MemoryBus } from '../memory/memory-bus';
import { MemoryLog } from '../memory/memory-log';
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

  it('is held up no longer by what it only begins to send when it is closed', async () => {
    const [outbox, silent] = [new MemoryBus(), new MemoryBus()];
    silent.publish = () => new Promise(() => undefined);
    let goOn: (() => void) | undefined;
    const open = (message: BusMessage) => new Promise<BusMessage>((opened) => (goOn = () => opened(message)));
    const relay = await startRelay({ outbox, target: silent, topics: [TOPIC], open, lastMs: 50 });
    await outbox.publish(roundRobin(TOPIC, ['a'], 1));
    await eventually(() => expect(goOn).toBeDefined());
    const closed = relay.close();
    goOn!();
    await closed;
    await outbox.close();
  });
});
