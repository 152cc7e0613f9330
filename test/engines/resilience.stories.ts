import { eventually, Receiver } from '#testing';
import type { Client } from '../harness/client';
import { HISTORY_MS, historyIsTold } from '../harness/history';
import { Standalone } from '../harness/standalone';
import { UnderLoad } from '../harness/under-load';
import { tellVersions, type Ground } from './ground';

const HOOK = '/hook';

interface HealthAnswer {
  readonly status: 'ready' | 'unavailable';
  readonly parts: Record<string, { ok: boolean; engine?: string; version?: string; detail?: string }>;
}

/**
 * The running program under load while its engines fail, on whatever ground it stands. One run for all stories: each
 * strikes while commands come, and then nothing may be lost, doubled, changed, out of order or left out. With `double` the event
 * store is one that can be told to fail.
 */
export function resilience(name: string, open: () => Promise<Ground>, { double: isDouble = false } = {}): void {
  describe(`resilience on ${name}`, () => {
    let ground: Ground | undefined;
    let standalone: Standalone | undefined;
    let receiver: Receiver;
    let client: Client;
    let load: UnderLoad;

    beforeAll(async () => {
      receiver = await Receiver.open();
      ground = await open();
      standalone = await Standalone.start({ RETRY_SCALE: '0.001', ...ground.env });
      client = standalone.client();
      await historyIsTold(standalone);
      load = new UnderLoad(client, (await client.account()).id, receiver, HOOK);
      await client.endpoint(receiver.url(HOOK), { eventTypes: ['post.*'] });
    }, 120_000 + HISTORY_MS);
    afterAll(async () => {
      await standalone?.remove();
      await ground?.close();
      await receiver.close();
    }, 180_000);

    const ready = async (): Promise<HealthAnswer> => (await client.get<HealthAnswer>('/health/ready')).body;
    const isReady = () =>
      eventually(async () => expect(await ready()).toMatchObject({ status: 'ready' }), { within: 120_000, every: 50 });
    const more = (count: number) => load.more(count);
    const underLoad = async (strike: () => Promise<void>): Promise<void> => {
      await load.strike(strike);
      await isReady();
    };

    it('says in its health on which engines and versions it stands', async () => {
      await isReady();
      const versions = await tellVersions(name, standalone!);
      for (const { engine, version } of Object.values(versions)) {
        expect(engine).toMatch(/^(PostgreSQL|EventStoreDB|Apache Kafka)/);
        expect(version).toMatch(/\d/);
      }
      expect(versions['eventStore']!.engine).toContain(ground!.env['EVENT_STORE_URL'] ? 'EventStoreDB' : 'PostgreSQL');
      expect(versions['bus']!.engine).toContain(ground!.env['BUS_URL'] ? 'Kafka' : 'PostgreSQL');
    });

    it(
      'loses nothing when program, database and bus are killed at once and started again',
      () =>
        underLoad(async () => {
          await Promise.all([standalone!.killAll(), ground!.kafka.kill()]);
          await ground!.kafka.restart();
          await standalone!.start();
        }),
      300_000,
    );

    it(
      'goes on when the broker is away, says so, and catches up when it is back',
      () =>
        underLoad(async () => {
          await ground!.kafka.stop();
          await eventually(
            async () => {
              const { status, parts } = await ready();
              expect([status, parts['bus']]).toEqual(['unavailable', expect.objectContaining({ ok: false })]);
            },
            { within: 90_000, every: 100 },
          );
          // Commands need no bus: they are accepted, and wait in the outbox.
          await more(100);
          await ground!.kafka.restart();
          await isReady();
        }),
      300_000,
    );

    it(
      'loses nothing when the broker is killed and started again',
      () =>
        underLoad(async () => {
          await ground!.kafka.kill();
          await more(50);
          await ground!.kafka.restart();
        }),
      300_000,
    );

    if (!isDouble) return;

    it(
      'goes on through cut connections, ended, silent and doubled subscriptions and lost answers of the event store',
      () =>
        underLoad(async () => {
          const double = ground!.double!;
          double.cut();
          await more(20);
          double.endSubscriptions();
          await more(20);
          double.faults.duplicates = true;
          double.endSubscriptions();
          await more(20);
          double.faults.duplicates = false;
          double.faults.lostAnswers = 2;
          await more(20);
          double.faults.unanswered = 1;
          await more(20);
          double.faults.silent = true;
          await more(20);
          double.speak();
        }),
      300_000,
    );

    it(
      'refuses commands with 503 while the event store is away, says so, and goes on when it is back',
      () =>
        underLoad(async () => {
          const double = ground!.double!;
          await double.cutWire();
          await eventually(
            async () => {
              const { status, parts } = await ready();
              expect([status, parts['eventStore']]).toEqual([
                'unavailable',
                expect.objectContaining({ ok: false, detail: expect.stringContaining('EventStoreDB') }),
              ]);
            },
            { within: 90_000, every: 100 },
          );
          const refused = await client.post('/accounts', {
            platform: 'instagram',
            username: 'late',
            profileId: 'prof_test',
          });
          expect(refused.status).toBe(503);
          expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
          await double.connectWire();
          await isReady();
        }),
      300_000,
    );
  });
}
