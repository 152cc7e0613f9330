import { eventually, Receiver, testDatabase, type TestDatabase } from '#testing';
import { TOPICS } from '#public-messages';
import { App } from '../harness/app';
import { Client } from '../harness/client';
import { UnderLoad } from '../harness/under-load';
import { KafkaNode } from './kafka';
import { lead, readAll } from './kafka-admin';

const KEY = 'key_of_the_fleet_0123456789abcdef';
const HOOK = '/hook';
/** Longer than every retry and session time-out on the way. */
const OUTAGE_MS = 20_000;
/** The lock that every intake shares: whoever holds it alone stops them in mid-batch. */
const INTAKE_LOCK = 7_305_050;

/** Each app is a process of its own, delivery two; Kafka is real, and what happens to it happens under load. */
describe(`the apps as processes on Apache Kafka ${KafkaNode.version}`, () => {
  let test: TestDatabase;
  let receiver: Receiver;
  let kafka: KafkaNode;
  let load: UnderLoad;
  const deliveries: App[] = [];
  const others: App[] = [];
  const env = () => ({ DATABASE_URL: test.url, BUS_URL: kafka.url, POSTLEDGER_API_KEY: KEY });
  const everyone = () => [...others, ...deliveries];
  const isReady = () => Promise.all(everyone().map((app) => app.ready(90_000)));

  beforeAll(async () => {
    [test, receiver, kafka] = await Promise.all([testDatabase(), Receiver.open(), KafkaNode.start()]);
    await kafka.stop();
    others.push(await App.start('projector', env()), await App.start('api', env()));
    deliveries.push(await App.start('delivery', env()), await App.start('delivery', env()));
  }, 180_000);
  afterAll(async () => {
    await Promise.all(everyone().map(({ program }) => program.stop()));
    await kafka?.remove();
    await receiver.close();
    await test.drop();
  }, 180_000);

  it('waits for a Kafka that is not there yet, says so in a sentence, and starts when it is', async () => {
    await Promise.all(
      everyone().map(({ program }) => program.line(/Waiting for the bus: Kafka does not answer: (?!.* at .*:\d+:\d+)/)),
    );
    for (const { program } of everyone()) {
      expect(program.isAlive).toBe(true);
      expect(program.lines.join('\n')).not.toMatch(/\n\s+at .*:\d+:\d+\)/);
    }
    await kafka.restart();
    await isReady();
    const client = new Client(() => others[1]!.url, KEY);
    load = new UnderLoad(client, (await client.account()).id, receiver, HOOK);
    await client.endpoint(receiver.url(HOOK), { eventTypes: ['post.*'] });
  }, 240_000);

  it('loses nothing when one of two delivery apps is killed in mid-batch, and shares again with its successor', async () => {
    await load.strike(async () => {
      await heldInMidBatch(2, async () => {
        const victim = deliveries.shift()!;
        await victim.kill();
      });
      await load.more(40);
      deliveries.push(await App.start('delivery', env()));
      await isReady();
      // Twelve partitions for two members: both get work as soon as the group has missed the dead one.
      await eventually(() => Promise.all(deliveries.map(expectTaking)), { within: 90_000 });
    });
  }, 300_000);

  it('loses nothing when the broker is gone for longer than anything is tried, and comes back', async () => {
    await load.strike(async () => {
      await kafka.stop();
      await new Promise((over) => setTimeout(over, OUTAGE_MS));
      await kafka.restart();
    });
    await isReady();
  }, 300_000);

  it('loses nothing when a second broker joins and leads, is killed, comes back and leaves', async () => {
    const second = await KafkaNode.start({ joins: kafka });
    const topics = [TOPICS.posts, TOPICS.webhooks];
    try {
      await load.strike(async () => {
        await lead(kafka, topics, [second, kafka]);
        await load.more(40);
        await second.kill();
        await load.more(40);
        await second.restart();
        await lead(kafka, topics, [second, kafka]);
        await load.more(40);
        await lead(kafka, topics, [kafka]);
        await second.stop();
      });
      await isReady();
    } finally {
      await second.remove();
    }
  }, 300_000);

  it('has said everything on Kafka in the order of each post, and nothing twice under two ids', async () => {
    const said = await readAll(kafka, TOPICS.posts);
    const partitions = new Map<string, Set<number>>();
    const newest = new Map<string, number>();
    const ids = new Map<string, string>();
    const disorder: string[] = [];
    for (const { partition, key, id, place } of said) {
      partitions.set(key, (partitions.get(key) ?? new Set()).add(partition));
      const known = ids.get(place);
      expect(known ?? id).toBe(id);
      if (known === undefined && Number(place.split('.')[0]) < (newest.get(key) ?? 0)) disorder.push(`${key} ${id}`);
      ids.set(place, id);
      newest.set(key, Math.max(newest.get(key) ?? 0, Number(place.split('.')[0])));
    }
    expect(disorder).toEqual([]);
    expect([...partitions.values()].filter(({ size }) => size > 1)).toEqual([]);
    expect(new Set(said.map(({ key }) => key))).toEqual(
      new Set([...load.ledger.acknowledged, ...load.ledger.unanswered.filter((id) => ids.has(id) || newest.has(id))]),
    );
  }, 180_000);

  async function expectTaking({ url }: App): Promise<void> {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const [, taken] = /^postledger_deliveries_taken_total\{.*\} (\d+)$/m.exec(metrics)!;
    expect(Number(taken)).toBeGreaterThan(0);
  }

  /** Does `work` while `count` intakes stand in the middle of a batch, and then lets them go on. */
  async function heldInMidBatch(count: number, work: () => Promise<void>): Promise<void> {
    await test.db.tx(async (sql) => {
      await sql.query('select pg_advisory_xact_lock($1)', [INTAKE_LOCK]);
      await eventually(
        async () => {
          const [waiting] = await test.db.query<{ intakes: number }>(
            `select count(distinct a.application_name || split_part(a.client_port::text, ' ', 1))::int as intakes
             from pg_locks l join pg_stat_activity a using (pid)
             where l.locktype = 'advisory' and not l.granted and l.objid = $1 and a.datname = current_database()`,
            [INTAKE_LOCK],
          );
          expect(waiting!.intakes).toBeGreaterThanOrEqual(count);
        },
        { within: 90_000 },
      );
      await work();
    });
  }
});
