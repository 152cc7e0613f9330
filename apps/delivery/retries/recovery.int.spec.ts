import { plus, systemClock, type Instant } from '#kernel';
import { eventually, Receiver, type Received, type Reply } from '#testing';
import { World } from '../testing/world';
import type { DeliveryWorker } from '../worker/delivery-worker';

const HOUR_MS = 3_600_000;
const away: Reply = (_, response) => void response.destroy();

const region = ({ body }: Received): string => (JSON.parse(body) as { data: { region: string } }).data.region;

describe('a receiver that was away', () => {
  let ahead = 0;
  const clock = (): Instant => plus(systemClock(), ahead);
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  beforeEach(async () => {
    ahead = 0;
    [world, receiver] = await Promise.all([World.open({ retryScale: 0.05, clock }), Receiver.open()]);
    worker = await world.worker();
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  const register = async (rateLimitPerSecond: number | null = null): Promise<void> => {
    await world.register('whe_r', receiver.url('/r'), { eventTypes: ['region.*'], rateLimitPerSecond });
    await world.pass(worker);
    await world.live(1);
  };
  const count = async (where: string): Promise<number> =>
    (await world.test.db.query<{ n: number }>(`select count(*)::int as n from delivery.delivery where ${where}`))[0]!.n;
  const circuitIsOpen = () => eventually(() => expect(worker.parts.dispatcher.load.circuitsOpen).toBe(1));
  /** Events of three entities in turn, while nobody is there. */
  const miss = async (events: number): Promise<void> => {
    receiver.always('/r', away);
    await world.happen('a', 40);
    await world.pass(worker);
    await circuitIsOpen();
    for (let n = 0; n < events; n += 30) {
      for (const entity of ['a', 'b', 'c']) await world.happen(entity, 10);
      await world.pass(worker);
    }
  };
  /** Hours later it is there again. */
  const comeBack = (reply: Reply): Received[] => {
    receiver.always('/r', reply);
    receiver.received.length = 0;
    ahead = 10 * HOUR_MS;
    worker.parts.retries.wake();
    return receiver.received;
  };
  const allDelivered = () =>
    eventually(async () => expect(await count("delivery.status_of(id, state) <> 'delivered'")).toBe(0), {
      within: 60_000,
      every: 50,
    });

  it('costs no memory meanwhile, and is shown what has not been tried as pending', async () => {
    await register();
    await miss(300);
    await eventually(() => expect(worker.parts.dispatcher.load.buffered).toBeLessThanOrEqual(1));
    expect(await count("state = 'queued'")).toBeGreaterThan(250);
    expect(await count("state = 'retrying'")).toBeGreaterThan(20);
    expect(await count("state = 'queued' and exists (select from delivery.attempt a where a.delivery_id = id)")).toBe(
      0,
    );
  });

  it('gets what it missed oldest first, those that had been tried among the others', async () => {
    await register();
    await miss(300);
    await eventually(() => expect(worker.parts.dispatcher.load.buffered).toBeLessThanOrEqual(1));
    // These have climbed their ladder, so that they are due later than what came after them.
    await world.test.db.query("update delivery.retry set due_at = due_at + interval '1 hour' where sequence <= 20");
    comeBack(204);
    await allDelivered();
    const sent = await world.test.db.query<{ at: string; sequence: number }>(
      'select a.at, d.sequence from delivery.attempt a join delivery.delivery d on d.id = a.delivery_id where a.ok order by a.at, d.sequence',
    );
    expect(sent).toHaveLength(340);
    const order = sent.map((it) => it.sequence);
    const tooEarly = order.filter((sequence, at) => order.slice(at).some((later) => later < sequence));
    // One is in hand since the circuit tried for the last time.
    expect(tooEarly.length).toBeLessThanOrEqual(1);
  });

  it('gets it at a rate that it can take', async () => {
    await register();
    await miss(300);
    let underWay = 0;
    let refused = 0;
    const received = comeBack((_, response) => {
      if (underWay >= 4) {
        refused++;
        response.writeHead(503).end();
        return;
      }
      underWay++;
      setTimeout(() => {
        underWay--;
        response.writeHead(204).end();
      }, 5);
    });
    await eventually(
      async () => {
        ahead += 60_000;
        expect(await count("delivery.status_of(id, state) <> 'delivered'")).toBe(0);
      },
      { within: 60_000, every: 50 },
    );
    expect(refused).toBeGreaterThan(0);
    expect(refused / received.length).toBeLessThan(0.2);
  });

  it('is sent what happens now before it has all that it missed', async () => {
    // All of its backlog would take it half a minute.
    await register(20);
    await miss(600);
    const received = comeBack(204);
    await eventually(() => expect(received.length).toBeGreaterThan(10));
    await world.happen('live');
    await world.pass(worker);
    await eventually(() => expect(received.map(region)).toContain('live'));
    expect(await count("delivery.status_of(id, state) <> 'delivered'")).toBeGreaterThan(100);
  });

  it('is not tried again with all at the same moment', async () => {
    await world.close();
    world = await World.open({ retryScale: 1, clock });
    worker = await world.worker();
    await register();
    receiver.always('/r', 500);
    await world.happen('a', 100);
    await world.pass(worker);
    await eventually(async () => expect(await count("state = 'retrying'")).toBe(100));
    const rows = await world.test.db.query<{ ms: number }>(
      `select extract(epoch from r.due_at - (a.at + a.duration_ms * interval '1 millisecond'))::float8 * 1000 as ms
       from delivery.retry r join delivery.attempt a on a.delivery_id = r.delivery_id and a.number = 1
       where not exists (select from delivery.attempt b where b.delivery_id = r.delivery_id and b.number > 1)`,
    );
    const waits = rows.map(({ ms }) => ms);
    // Five seconds, and ten percent to either side.
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(4_498);
    expect(Math.max(...waits)).toBeLessThanOrEqual(5_502);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(500);
  });
});
