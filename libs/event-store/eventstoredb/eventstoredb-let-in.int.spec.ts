import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate, type GenerateResult } from 'selfsigned';
import { eventually } from '#testing';
import { collect, event } from '../conformance/support';
import { EventStoreRefusedError, EventStoreUnavailableError, NO_STREAM } from '../port/event-store';
import { EventStoreDbDouble } from './double/eventstoredb-double';
import { EventStoreDbEventStore } from './eventstoredb-event-store';

const USER = { user: 'postledger', password: 's3cr3t-of-the-tests' };

describe('an EventStoreDB that asks who comes, over TLS,', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-esdb-'));
  const caFile = join(folder, 'ca.pem');
  let double: EventStoreDbDouble;
  beforeAll(async () => {
    const made: GenerateResult = await generate([{ name: 'commonName', value: 'localhost' }], {
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
      ],
    });
    writeFileSync(caFile, made.cert);
    double = await EventStoreDbDouble.start(undefined, { key: made.private, cert: made.cert, ...USER });
  });
  afterAll(async () => {
    await double.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const at = (who: string, query: string): EventStoreDbEventStore =>
    new EventStoreDbEventStore(`esdb://${who}localhost:${double.port}?tls=true${query}`, {
      deadlineMs: 20_000,
      attemptMs: 10_000,
    });
  const trusted = `&tlsCAFile=${caFile}`;

  it('lets in whom it knows: appends, reads and follows', async () => {
    const store = at(`${USER.user}:${USER.password}@`, trusted);
    await expect(store.check()).resolves.toMatchObject({ engine: 'EventStoreDB' });
    const control = new AbortController();
    const { events, done } = collect(store.follow({ after: 0, maxBatch: 10, signal: control.signal }));
    await store.append('thing-ws_1:secured', [event('1')], NO_STREAM);
    expect(await store.read('thing-ws_1:secured')).toHaveLength(1);
    await eventually(() => expect(events).toHaveLength(1));
    control.abort();
    await done;
    await store.close();
  });

  it.each([
    [
      'a wrong password',
      `${USER.user}:wr0ng@`,
      () => trusted,
      /^EventStoreDB refuses: user and password of EVENT_STORE_URL are wrong/,
    ],
    ['nobody', '', () => trusted, /^EventStoreDB refuses: user and password of EVENT_STORE_URL are wrong/],
    [
      'a certificate that nobody we trust has signed',
      `${USER.user}:${USER.password}@`,
      () => '',
      /^EventStoreDB refuses: its certificate does not verify \(.+\); tlsCAFile in EVENT_STORE_URL/,
    ],
  ])('says in one sentence what cannot be mended by waiting: %s', async (_, who, query, sentence) => {
    const store = at(who, query());
    const refused: Error = await store.check().then(
      () => new Error('let in'),
      (error: Error) => error,
    );
    expect(refused.message).toMatch(sentence);
    expect(refused.message).not.toMatch(/wr0ng|s3cr3t/);
    expect(refused).toBeInstanceOf(EventStoreRefusedError);
    await store.close();
  });

  it('is away for whom it lets in no more, until somebody has mended that', async () => {
    const store = at(`${USER.user}:changed@`, trusted);
    await expect(store.append('thing-ws_1:locked', [event('1')], NO_STREAM)).rejects.toThrow(
      EventStoreUnavailableError,
    );
    await expect(store.read('thing-ws_1:locked')).rejects.toThrow(EventStoreUnavailableError);
    await store.close();
  });
});
