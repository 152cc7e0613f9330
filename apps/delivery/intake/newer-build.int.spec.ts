import { PoisonMessageError } from '#messaging';
import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';
import type { DeliveryWorker } from '../worker/delivery-worker';

/** While versions change, this build meets what only the next one knows. */
describe('intake beside a newer build', () => {
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open(), Receiver.open()]);
    worker = await world.worker();
    await world.register('whe_a', receiver.url('/a'), { eventTypes: ['*'] });
    await world.pass(worker);
    await world.live(1);
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  /** Refused for now, so that the bus keeps it. */
  const held = async (work: Promise<void>, because: string): Promise<void> => {
    const error = await work.then(
      () => undefined,
      (refused: Error) => refused,
    );
    expect(error).not.toBeInstanceOf(PoisonMessageError);
    expect(error?.message).toContain(because);
  };

  it.each([
    ['of a type', {}],
    ['to the delivery service', { 'postledger-internal': 'true' }],
  ])('acknowledges no message %s that it does not know, and parks none', async (_, more) => {
    await world.happen('x');
    const [known] = await world.fresh();
    const headers = { ...known!.headers, ce_type: 'region.surprised', ...more };
    await held(worker.handle([{ ...known!, type: 'region.surprised', headers }]), 'is a region.surprised, which this');
    await worker.handle([known!]);
    await eventually(() => expect(receiver.on('/a')).toHaveLength(1));
  });

  it('takes nothing in for a workspace one of whose endpoints it has no words for', async () => {
    await named('surprise');
    await world.happen('x');
    const messages = await world.fresh();
    await held(worker.handle(messages), 'names the contract surprise, which this build does not have');
    await world.happen('y', 1, 'ws_2');
    await worker.handle(await world.fresh());
    await named('core');
    await eventually(() => worker.handle(messages));
    await eventually(() => expect(receiver.on('/a')).toHaveLength(1));
  });

  /** The contract of the endpoint, as another process changed it. */
  async function named(contract: string): Promise<void> {
    await world.test.db.query(
      `with next as (update delivery.endpoint_version set version = version + 1 returning version)
       update delivery.endpoint set version = next.version, config = config::jsonb || jsonb_build_object('contract', $1::text) from next`,
      [contract],
    );
  }
});
