import { eventually, Receiver, testDatabase, type TestDatabase } from '#testing';
import { App } from '../harness/app';
import { Client } from '../harness/client';
import { expectNothingLost, Ledger } from '../harness/ledger';

const KEY = 'key_of_two_of_each_0123456789abcdef';

describe('two of each app on one database', () => {
  let test: TestDatabase;
  let receiver: Receiver;
  const running: App[] = [];

  beforeAll(async () => {
    [test, receiver] = await Promise.all([testDatabase(), Receiver.open()]);
    // Start order does not matter: the ones that need the others come first.
    for (const app of ['delivery', 'projector', 'api', 'delivery', 'projector', 'api'] as const)
      running.push(await App.start(app, { DATABASE_URL: test.url, POSTLEDGER_API_KEY: KEY }));
    await Promise.all(running.map((app) => app.ready()));
  });
  afterAll(async () => {
    await Promise.all(running.map(({ program }) => program.stop()));
    await receiver.close();
    await test.drop();
  });

  it('goes on without loss, gap or second id when one of each is killed', async () => {
    const apis = running.filter(({ name }) => name === 'api');
    let turn = 0;
    const client = new Client(() => apis[turn++ % apis.length]!.url, KEY);
    const { id: account } = await client.account();
    await client.endpoint(receiver.url('/hook'), { eventTypes: ['post.scheduled'] });
    const ledger = new Ledger();
    let isOver = false;
    const writers = Array.from({ length: 4 }, (_, n) => ledger.write(client, account, `two_${n}`, () => isOver));
    const moreThan = (n: number) =>
      eventually(() => expect(ledger.acknowledged.length).toBeGreaterThan(n), { within: 120_000 });
    await moreThan(100);
    for (const app of ['delivery', 'projector', 'api'] as const) {
      const before = ledger.acknowledged.length;
      const victim = running.find((one) => one.name === app)!;
      await victim.kill();
      if (app === 'api') apis.splice(apis.indexOf(victim), 1);
      await moreThan(before + 60);
    }
    isOver = true;
    await Promise.all(writers);
    await expectNothingLost(ledger, () => receiver.on('/hook'));
  }, 400_000);
});
