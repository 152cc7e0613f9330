import { freePort } from '#postgres';
import { eventually, Receiver, testDatabase, type TestDatabase } from '#testing';
import { Client } from '../harness/client';
import { expectNothingLost, Ledger } from '../harness/ledger';
import { Program } from '../harness/program';

const KEY = 'key_of_two_of_each_0123456789abcdef';
const APPS = ['api', 'projector', 'delivery'] as const;

describe('two of each app on one database', () => {
  let test: TestDatabase;
  let receiver: Receiver;
  const running: { app: (typeof APPS)[number]; program: Program; url: string }[] = [];

  beforeAll(async () => {
    [test, receiver] = await Promise.all([testDatabase(), Receiver.open()]);
    // Start order does not matter: the ones that need the others come first.
    for (const app of ['delivery', 'projector', 'api', 'delivery', 'projector', 'api'] as const)
      running.push(await start(app));
    await Promise.all(running.map(({ url, program }) => ready(url, program)));
  });
  afterAll(async () => {
    await Promise.all(running.map(({ program }) => program.stop()));
    await receiver.close();
    await test.drop();
  });

  async function start(app: (typeof APPS)[number]) {
    const port = await freePort();
    const program = Program.start([`dist/apps/${app}/main.js`], {
      POSTLEDGER_MODE: 'sandbox',
      POSTLEDGER_SECRET_KEY: Buffer.alloc(32, 3).toString('base64'),
      POSTLEDGER_API_KEY: KEY,
      DATABASE_URL: test.url,
      PORT: String(port),
      RETRY_SCALE: '0.01',
      LOG_LEVEL: 'warn',
    });
    return { app, program, url: `http://127.0.0.1:${port}` };
  }

  const ready = (url: string, program: Program) =>
    eventually(
      async () => {
        if (!program.isAlive) throw new Error(program.lines.join('\n'));
        expect((await fetch(`${url}/health/ready`)).status).toBe(200);
      },
      { within: 40_000, every: 50 },
    );

  it('goes on without loss, gap or second id when one of each is killed', async () => {
    const apis = running.filter(({ app }) => app === 'api');
    let turn = 0;
    const client = new Client(() => apis[turn++ % apis.length]!.url, KEY);
    const { id: account } = await client.account();
    await client.endpoint(receiver.url('/hook'), { eventTypes: ['post.scheduled'] });
    const ledger = new Ledger();
    let isOver = false;
    const writers = Array.from({ length: 4 }, (_, n) => ledger.write(client, account, `two_${n}`, () => isOver));
    const moreThan = (n: number) =>
      eventually(() => expect(ledger.acknowledged.length).toBeGreaterThan(n), { within: 40_000 });
    await moreThan(100);
    for (const app of ['delivery', 'projector', 'api'] as const) {
      const before = ledger.acknowledged.length;
      const victim = running.find((one) => one.app === app)!;
      victim.program.kill();
      await victim.program.ended;
      if (app === 'api') apis.splice(apis.indexOf(victim), 1);
      await moreThan(before + 60);
    }
    isOver = true;
    await Promise.all(writers);
    await expectNothingLost(ledger, () => receiver.on('/hook'));
  }, 180_000);
});
