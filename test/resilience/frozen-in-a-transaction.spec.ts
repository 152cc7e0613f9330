import { eventually, Receiver, testDatabase, type TestDatabase } from '#testing';
import { App } from '../harness/app';
import { Client } from '../harness/client';

const KEY = 'key_of_the_frozen_0123456789abcdef';
const RECORDED = 'delivery.record(';
const VICTIM = 'victim';

describe('two delivery apps, of which one freezes in the middle of a transaction', () => {
  let test: TestDatabase;
  let receiver: Receiver;
  let client: Client;
  let victim: App;
  const running: App[] = [];

  beforeAll(async () => {
    [test, receiver] = await Promise.all([testDatabase(), Receiver.open()]);
    const named = new URL(test.url);
    named.searchParams.set('application_name', VICTIM);
    const env = { DATABASE_URL: test.url, POSTLEDGER_API_KEY: KEY };
    victim = await App.start('delivery', { ...env, DATABASE_URL: named.href }, ['frozen', RECORDED]);
    running.push(victim);
    for (const app of ['projector', 'api', 'delivery'] as const) running.push(await App.start(app, env));
    await Promise.all(running.map((app) => app.ready()));
    client = new Client(() => running[2]!.url, KEY);
  }, 240_000);
  afterAll(async () => {
    victim.program.signal('SIGCONT');
    await Promise.all(running.map(({ program }) => program.stop()));
    await receiver.close();
    await test.drop();
  });

  const happen = (id: string) =>
    client.must(200, 'POST', `/galleries/${id}/update`, { region: 'eu', added: ['ast_1'], removed: [] });
  const came = () => new Set(receiver.on('/fine').map(({ body }) => JSON.parse(body).data.galleryId as string));

  it('the other one sends what comes meanwhile, and what the frozen one had', async () => {
    receiver.always('/failing', 500);
    for (const path of ['/failing', '/fine'])
      await client.endpoint(receiver.url(path), { eventTypes: ['gallery.updated'] });
    await eventually(async () =>
      expect(await test.db.query("select 1 from delivery.endpoint where phase = 'live'")).toHaveLength(2),
    );
    await victim.arm();
    // Whose messages are whose is by their keys: until the victim has had an outcome to write.
    const said: string[] = [];
    await eventually(
      async () => {
        said.push(`gal_${said.length}`);
        await happen(said.at(-1)!);
        const frozen = await test.db.query(
          "select 1 from pg_stat_activity where application_name like $1 and state = 'idle in transaction' and query like $2",
          [`%(${VICTIM})`, `%${RECORDED}%`],
        );
        expect(frozen).toHaveLength(1);
      },
      { within: 60_000, every: 50 },
    );
    // Longer than it takes to miss the frozen one, and to do without it.
    const until = performance.now() + 12_000;
    await eventually(
      async () => {
        said.push(`gal_${said.length}`);
        await happen(said.at(-1)!);
        expect(performance.now()).toBeGreaterThan(until);
      },
      { within: 60_000, every: 200 },
    );
    await eventually(() => expect(came()).toEqual(new Set(said)), { within: 30_000 });
  }, 240_000);
});
