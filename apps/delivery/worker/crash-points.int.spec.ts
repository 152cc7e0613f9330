import { eventually, Receiver } from '#testing';
import { World } from '../testing/world';
import type { DeliveryWorker } from './delivery-worker';

const sequences = (receiver: Receiver, path: string): number[] =>
  [...new Set(receiver.on(path).map(({ headers }) => Number(headers['webhook-sequence'])))].sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);
const TAKE_OVER = { within: 60_000, every: 50 };

/**
 * A worker is stopped dead at each point where it could be, another goes on: everything arrives, under the ids and bytes it had,
 * and with no number missing. `kill` does what SIGKILL does: nothing is finished, recorded or given back.
 */
describe('a killed worker', () => {
  let world: World;
  let receiver: Receiver;
  let worker: DeliveryWorker;
  beforeEach(async () => {
    [world, receiver] = await Promise.all([World.open({ retryScale: 0.02 }), Receiver.open()]);
    worker = await world.worker();
    await world.register('whe_a', receiver.url('/a'), { eventTypes: ['region.*'] });
    await world.pass(worker);
    await world.live(1);
  });
  afterEach(async () => {
    await world.close();
    await receiver.close();
  });

  const everythingArrives = async (count: number): Promise<void> => {
    await eventually(() => expect(sequences(receiver, '/a')).toEqual(upTo(count)), TAKE_OVER);
    await eventually(async () => {
      expect(
        await world.test.db.query("select 1 from delivery.delivery where delivery.status_of(id, state) <> 'delivered'"),
      ).toEqual([]);
      expect(await world.test.db.query('select 1 from delivery.lease union all select 1 from delivery.retry')).toEqual(
        [],
      );
    }, TAKE_OVER);
    for (const sequence of upTo(count)) {
      const sent = receiver.on('/a').filter(({ headers }) => headers['webhook-sequence'] === String(sequence));
      expect(new Set(sent.map(({ headers, body }) => `${String(headers['webhook-id'])} ${body}`)).size).toBe(1);
    }
  };

  it('after the lease, before anything is sent', async () => {
    const second = await world.worker();
    await world.happen('a', 20);
    const messages = await world.fresh();
    worker.parts.dispatcher.submit = () => worker.kill();
    await worker.handle(messages);
    expect(receiver.on('/a')).toEqual([]);
    await second.handle(messages);
    await everythingArrives(20);
    expect(receiver.on('/a')).toHaveLength(20);
  });

  it('after the send, before the answer', async () => {
    const second = await world.worker();
    // An endpoint that has answered once may have eight exchanges at a time: so all five are under way.
    await world.happen('a');
    await worker.handle(await world.fresh());
    await everythingArrives(1);
    receiver.always('/a', 'hang');
    await world.happen('a', 5);
    await worker.handle(await world.fresh());
    await eventually(() => expect(sequences(receiver, '/a')).toEqual(upTo(6)));
    worker.kill();
    receiver.always('/a', 204);
    await everythingArrives(6);
    expect(receiver.on('/a')).toHaveLength(1 + 2 * 5);
    await second.handle([]);
  });

  it('after the answer, before the record', async () => {
    await world.worker();
    worker.parts.recorder.add = () => undefined;
    await world.happen('a', 5);
    await worker.handle(await world.fresh());
    await eventually(() => expect(receiver.on('/a')).toHaveLength(5));
    worker.kill();
    await everythingArrives(5);
  });

  it('in the write of a batch of outcomes', async () => {
    await world.worker();
    await world.happen('a', 30);
    // Everything is written, and then the connection is gone before the commit.
    const { db } = world.test;
    const query = db.query.bind(db);
    let cut = false;
    db.query = (text, params) => {
      if (cut || !text.includes('delivery.record(')) return query(text, params);
      cut = true;
      return db.tx(async (sql) => {
        await sql.query(text, params);
        worker.kill();
        throw new Error('the process is gone');
      });
    };
    await worker.handle(await world.fresh());
    await everythingArrives(30);
    expect(cut).toBe(true);
  });

  it('between the commit of intake and its acknowledgement: the messages come again', async () => {
    const second = await world.worker();
    await world.happen('a', 50);
    const messages = await world.fresh();
    await Promise.all([worker.handle(messages), second.handle(messages), worker.handle(messages)]);
    await everythingArrives(50);
    expect(receiver.on('/a')).toHaveLength(50);
  });

  it('with retries that wait, and with some just claimed', async () => {
    const second = await world.worker();
    receiver.always('/a', 500);
    await world.happen('a', 20);
    await worker.handle(await world.fresh());
    await eventually(() => expect(receiver.on('/a').length).toBeGreaterThanOrEqual(30));
    worker.kill();
    receiver.always('/a', 204);
    await everythingArrives(20);
    await second.handle([]);
  });

  it('in the middle of a bulk replay', async () => {
    await world.happen('a', 700);
    await worker.handle(await world.fresh());
    await everythingArrives(700);
    const page = worker.parts.jobs['page'].bind(worker.parts.jobs);
    worker.parts.jobs['page'] = async (...job) => {
      const state = await page(...job);
      if (state !== 'early') worker.kill();
      return state;
    };
    await world.endpointCommand('whe_a', {
      type: 'RequestReplay',
      jobId: 'job_1',
      since: '2020-01-01T00:00:00.000Z' as never,
      until: null,
      status: null,
      ...world.by(),
    });
    await worker.handle(await world.fresh());
    await eventually(async () =>
      expect(await world.test.db.query('select status, done from delivery.job')).toEqual([
        { status: 'running', done: 200 },
      ]),
    );
    await world.worker();
    await eventually(
      async () =>
        expect(await world.test.db.query('select status, total, done from delivery.job')).toEqual([
          { status: 'done', total: 700, done: 700 },
        ]),
      TAKE_OVER,
    );
    await eventually(() => {
      const replayed = receiver.on('/a').filter(({ headers }) => headers['webhook-replay'] === 'true');
      expect(new Set(replayed.map(({ headers }) => headers['webhook-sequence'])).size).toBe(700);
    }, TAKE_OVER);
  });

  it('before the log has heard that a delivery was parked', async () => {
    worker.parts.facts.wake = () => undefined;
    receiver.always('/a', 410);
    await world.happen('a');
    await worker.handle(await world.fresh());
    await eventually(async () =>
      expect(await world.test.db.query('select kind from delivery.fact')).toEqual([{ kind: 'gone' }]),
    );
    worker.kill();
    await world.worker();
    await eventually(
      async () => expect((await world.fresh()).map(({ type }) => type)).toContain('webhook.endpoint_disabled'),
      TAKE_OVER,
    );
  });

  it('tells the log again what it could not tell it at first', async () => {
    const handle = jest.spyOn(world.commands, 'handle').mockRejectedValueOnce(new Error('away'));
    receiver.always('/a', 410);
    await world.happen('a');
    await worker.handle(await world.fresh());
    await eventually(async () =>
      expect((await world.fresh()).map(({ type }) => type)).toContain('webhook.endpoint_disabled'),
    );
    expect(handle).toHaveBeenCalledTimes(2);
    handle.mockRestore();
    await eventually(async () => expect(await world.test.db.query('select kind from delivery.fact')).toEqual([]));
  });

  it('has written down what it sent before it gives back the rest, when it stops in good order', async () => {
    const order: string[] = [];
    const { recorder, presence } = worker.parts;
    const [flush, leave] = [recorder.flush.bind(recorder), presence.leave.bind(presence)];
    recorder.flush = () => flush().then(() => void order.push('written'));
    presence.leave = () => leave().then(() => void order.push('given back'));
    await worker.stop();
    expect(order).toEqual(['written', 'given back']);
  });

  it('sends nothing more of what it held when the others have only taken it for dead', async () => {
    worker.parts.retries.stop();
    receiver.always('/a', 'hang');
    await world.happen('a', 100);
    await worker.handle(await world.fresh());
    await eventually(() => expect(receiver.on('/a').length).toBeGreaterThan(0));
    expect(worker.parts.dispatcher.waiting).not.toEqual([]);
    const { id } = worker.parts.presence;
    await world.test.db.query('select delivery.release($1, now())', [id]);
    await eventually(() => expect(worker.parts.presence.id).not.toBe(id));
    expect(worker.parts.dispatcher.waiting).toEqual([]);
    worker.kill();
  });

  it('is not waited for when it stopped in good order: what it held waits for the others at once', async () => {
    const second = await world.worker();
    receiver.always('/a', 'hang');
    await world.happen('a', 100);
    await worker.handle(await world.fresh());
    await eventually(() => expect(receiver.on('/a').length).toBeGreaterThan(0));
    const stopping = worker.parts.dispatcher.stop.bind(worker.parts.dispatcher);
    worker.parts.dispatcher.stop = () => stopping(10);
    await worker.stop();
    expect(
      await world.test.db.query(
        'select 1 from delivery.lease where worker = $1 union all select 1 from delivery.worker where id = $1',
        [worker.parts.presence.id],
      ),
    ).toEqual([]);
    receiver.always('/a', 204);
    await second['woken']('retry');
    await everythingArrives(100);
  });
});
