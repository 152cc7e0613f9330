import { randomInt } from 'node:crypto';
import { eventually, Receiver } from '#testing';
import { expectNothingLost, Ledger } from '../harness/ledger';
import { Standalone } from '../harness/standalone';

const ROUNDS = 4;
const WRITERS = 6;

describe('everything killed at once, under load, again and again', () => {
  let standalone: Standalone;
  let receiver: Receiver;
  beforeAll(async () => {
    [standalone, receiver] = await Promise.all([Standalone.start(), Receiver.open()]);
  });
  afterAll(async () => {
    await standalone.remove();
    await receiver.close();
  });

  it('loses nothing that was acknowledged, sends nothing with a second id, and leaves no gap', async () => {
    const client = standalone.client();
    const { id: account } = await client.account();
    await client.endpoint(receiver.url('/hook'), { eventTypes: ['post.scheduled'] });
    const ledger = new Ledger();
    let isOver = false;
    const writers = Array.from({ length: WRITERS }, (_, n) =>
      ledger.write(client, account, `killed_${n}`, () => isOver),
    );

    for (let round = 1; round <= ROUNDS; round++) {
      const before = ledger.acknowledged.length;
      // At a random moment of the flow, not of the clock.
      await eventually(() => expect(ledger.acknowledged.length).toBeGreaterThan(before + randomInt(20, 200)), {
        within: 90_000,
      });
      await standalone.killAll();
      await standalone.start();
    }
    isOver = true;
    await Promise.all(writers);

    await expectNothingLost(ledger, () => receiver.on('/hook'));
    expect(ledger.acknowledged.length).toBeGreaterThan(ROUNDS * 20);
    const newest = await eventually(async () => {
      const { body } = await client.get<{ data: { id: string }[] }>('/posts?limit=50');
      return body.data.length === 50 && body.data;
    });
    expect(new Set(newest.map(({ id }) => id)).size).toBe(50);
  }, 400_000);
});
