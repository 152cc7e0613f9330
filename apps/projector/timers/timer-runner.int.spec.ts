import { CommandHandler, EventStoreUnavailableError, type CommandContext, type RecordedEvent } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { DomainError, instant, MINUTE, plus, type Instant } from '#kernel';
import { OPEN, writeFenced, type Database } from '#postgres';
import { eventually, testDatabase, type TestDatabase } from '#testing';
import type { Owed } from './owed-commands';
import { policiesProjection } from '../policies/policies.projection';
import { dueTimers, nextDue, timerWrites, type StoredTimer } from './timer-table';
import { TimerRunner, type TimerParts } from './timer-runner';

const NOON = instant('2026-05-01T12:00:00.000Z');

describe('the timers', () => {
  let test: TestDatabase;
  let now: Instant;
  let sent: ({ target: string; position: number } & CommandContext)[];
  let answer: (target: string) => void | Promise<void>;

  beforeAll(async () => (test = await testDatabase()));
  afterAll(() => test.drop());
  beforeEach(async () => {
    [now, sent, answer] = [NOON, [], () => undefined];
    await test.db.script('truncate projector.timer');
  });

  const send: Owed = async (_, payload, context) => {
    const { target, position } = payload as { target: string; position: number };
    await answer(target);
    sent.push({ target, position, ...context });
  };
  const runner = (more: Partial<TimerParts> = {}) =>
    new TimerRunner({
      db: test.db,
      commands: new CommandHandler(new MemoryEventStore()),
      clock: () => now,
      onFault: () => undefined,
      owed: { test: send },
      ...more,
    });
  const timer = (key: string, position: number, more: Partial<StoredTimer> = {}): StoredTimer => {
    const target = more.target ?? key;
    return {
      key,
      kind: 'test',
      workspace: 'ws_1',
      target,
      dueAt: NOON,
      payload: { target, position },
      cause: `00000000-0000-8000-8000-${String(position).padStart(12, '0')}`,
      position,
      correlationId: 'c',
      traceparent: null,
      ...more,
    };
  };
  const set = (...timers: StoredTimer[]) =>
    writeFenced(test.db, OPEN, timerWrites(timers.map((it) => ({ key: it.key, timer: it }))));
  /** Lets a runner run while `work` is done. */
  const whileRunning = async (running: TimerRunner, work: () => Promise<void>) => {
    const stop = new AbortController();
    const run = running.run(stop.signal);
    try {
      await work();
    } finally {
      stop.abort();
      await run;
    }
  };
  const left = async () =>
    (await test.db.query<{ key: string }>('select key from projector.timer order by key')).map(({ key }) => key);

  it('sends what is due, and nothing before its time, though one event has led to both', async () => {
    await set(timer('a', 1), timer('b', 1, { dueAt: plus(NOON, 1) }));
    await runner().runDue();
    expect(sent.map(({ target }) => target)).toEqual(['a']);
    expect(await left()).toEqual(['b']);
    now = plus(NOON, 1);
    await runner().runDue();
    expect(await left()).toEqual([]);
  });

  it('sends what was due though the clock is set back before it is sent, so that it is due for whoever decides', async () => {
    const times: Instant[] = [];
    const clocks = [NOON, plus(NOON, -50)];
    await set(timer('a', 1));
    const setBack = new TimerRunner({
      db: test.db,
      commands: new CommandHandler(new MemoryEventStore()),
      clock: () => clocks.shift()!,
      onFault: () => undefined,
      owed: { test: async (_, __, { at }) => void times.push(at) },
    });
    await setBack.runDue();
    expect(times).toEqual([NOON]);
  });

  it('keeps of several changes to one timer the last, and clears none that is set', async () => {
    await set(timer('a', 1), timer('b', 2));
    const changes = [
      { key: 'a', timer: timer('a', 3) },
      { key: 'a', timer: null },
      { key: 'b', timer: null },
      { key: 'b', timer: timer('b', 4) },
    ];
    await writeFenced(test.db, OPEN, timerWrites(changes));
    expect(await test.db.query('select key, position from projector.timer')).toEqual([{ key: 'b', position: 4 }]);
  });

  it('knows nothing any more of a timer that is set anew: neither what it would send, nor that it failed', async () => {
    answer = () => {
      throw new EventStoreUnavailableError('away');
    };
    await set(timer('a', 1, { target: 'x' }));
    await runner().runDue();
    answer = () => undefined;
    await set(timer('a', 2, { target: 'x', dueAt: plus(NOON, 60_000) }), timer('after', 3, { target: 'x' }));
    await runner().runDue();
    expect(sent.map(({ position }) => position)).toEqual([3]);
    expect(await test.db.query('select failures, failure, payload from projector.timer')).toEqual([
      { failures: 0, failure: null, payload: JSON.stringify({ target: 'x', position: 2 }) },
    ]);
  });

  it('sends the commands to one thing in the order of the events that led to them', async () => {
    await set(
      timer('late', 9, { target: 'x', dueAt: plus(NOON, -9_000) }),
      timer('early', 3, { target: 'x' }),
      timer('middle', 5, { target: 'x' }),
    );
    await runner().runDue();
    expect(sent.map(({ position }) => position)).toEqual([3, 5, 9]);
  });

  it('sends the same command, by its id, when it is sent again', async () => {
    await set(timer('a', 1));
    await runner().runDue();
    await set(timer('a', 1));
    await runner().runDue();
    expect(sent[0]!.commandId).toBe(sent[1]!.commandId);
    await set(timer('a', 2));
    await runner().runDue();
    expect(sent[2]!.commandId).not.toBe(sent[0]!.commandId);
    expect(sent[2]!.causationId).toBe('evt_00000000-0000-8000-8000-000000000002');
    // What it did is looked for before anything is decided.
    expect(sent.every(({ repeatable }) => repeatable)).toBe(true);
  });

  it('is kept with all of the event that it follows from', async () => {
    const metadata = { actor: 'usr_1', causationId: null, commandId: 'k', schemaVersion: 1, occurredAt: NOON };
    const event: RecordedEvent = {
      id: '00000000-0000-8000-8000-000000000007',
      type: 'PostScheduled',
      data: { postId: 'pst_1', scheduledAt: NOON, campaignId: null },
      stream: 'post-ws_1:pst_1',
      revision: 0,
      position: 7,
      metadata: { ...metadata, workspace: 'ws_1', correlationId: 'c', traceparent: '00-1-2-01' },
    };
    const { writes } = await policiesProjection(() => undefined)
      .build(1)
      .changes({} as never, { events: [event], position: 7 });
    await writeFenced(test.db, OPEN, writes);
    expect(await dueTimers(test.db, NOON, 10)).toEqual([
      {
        key: 'post_due:ws_1:pst_1',
        kind: 'post_due',
        workspace: 'ws_1',
        target: 'pst_1',
        dueAt: NOON,
        payload: { postId: 'pst_1' },
        cause: event.id,
        position: 7,
        correlationId: 'c',
        traceparent: '00-1-2-01',
        failures: 0,
      },
    ]);
  });

  it('sends it on the trace of the event that led to it', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await set(timer('a', 1, { traceparent }), timer('b', 2));
    await runner().runDue();
    expect(sent.map((it) => it.traceparent)).toEqual([traceparent, undefined]);
  });

  it('puts a timer that fails again and again off by five minutes at the most', async () => {
    answer = () => {
      throw new EventStoreUnavailableError('away');
    };
    await set(timer('a', 1));
    await test.db.query('update projector.timer set failures = 30');
    await runner().runDue();
    expect(await nextDue(test.db)).toBe(plus(NOON, 5 * MINUTE));
  });

  it('has all that waited for an engine done once it is back, however long each was put off for', async () => {
    answer = () => {
      throw new EventStoreUnavailableError('away');
    };
    await set(timer('a', 1), timer('b', 2), timer('c', 3, { target: 'b' }), timer('d', 4));
    await test.db.query('update projector.timer set failures = 30');
    await runner().runDue();
    const waits = await test.db.query<{ key: string }>('select key from projector.timer where due_at > $1', [NOON]);
    expect(waits.map(({ key }) => key).sort()).toEqual(['a', 'b', 'd']);
    answer = () => undefined;
    await whileRunning(runner(), () => eventually(async () => expect(await left()).toEqual([])));
    expect(sent.map(({ target, position }) => `${target}${position}`).sort()).toEqual(['a1', 'b2', 'b3', 'd4']);
  });

  it('asks with one of those that wait for an engine whether it is back, and not with all', async () => {
    const asked: string[] = [];
    answer = (target) => {
      asked.push(target);
      throw new EventStoreUnavailableError('away');
    };
    await set(timer('a', 1), timer('b', 2), timer('c', 3));
    await test.db.query('update projector.timer set failures = 30');
    await runner().runDue();
    expect(asked.splice(0).sort()).toEqual(['a', 'b', 'c']);
    const looked = jest.spyOn(test.db, 'query');
    const hurried = () => looked.mock.calls.filter(([text]) => text.includes('set due_at = least(due_at, $1)')).length;
    await whileRunning(runner(), async () => {
      await eventually(() => expect(asked).not.toHaveLength(0));
      // It looks again and finds nothing due.
      const before = looked.mock.calls.length;
      await eventually(() => expect(looked.mock.calls.length).toBeGreaterThan(before + 3));
      expect(asked.length).toBeLessThanOrEqual(hurried());
    });
    looked.mockRestore();
  });

  it('asks whether an engine is back only so often', async () => {
    let tries = 0;
    answer = () => {
      tries++;
      throw new EventStoreUnavailableError('away');
    };
    await set(timer('a', 1));
    const one = runner();
    const time = jest.spyOn(performance, 'now').mockReturnValue(0);
    for (const [ms, tried] of [
      [0, 1],
      [4_999, 1],
      [5_000, 2],
      [9_999, 2],
      [10_000, 3],
    ] as const) {
      time.mockReturnValue(ms);
      for (let n = 0; n < 3; n++) await one.runDue();
      expect([ms, tries]).toEqual([ms, tried]);
    }
    time.mockRestore();
  });

  it('does not try what fails for good each time that another goes through', async () => {
    let tries = 0;
    answer = (target) => {
      if (target === 'broken') throw (tries++, new EventStoreUnavailableError('never'));
    };
    const one = runner();
    await set(timer('broken', 1));
    await one.runDue();
    for (let n = 2; n < 30; n++) {
      await set(timer('a', n));
      await one.runDue();
    }
    expect(tries).toBeLessThanOrEqual(3);
  });

  it('ends a timer that the domain refuses, and puts off one that meets a fault, with what comes after it for the same thing', async () => {
    answer = (target) => {
      if (target === 'refused') throw new DomainError('NO', 'conflict', 'No.');
      if (target === 'away') throw new EventStoreUnavailableError('away');
    };
    await set(
      timer('a', 1, { target: 'refused' }),
      timer('b', 2, { target: 'away' }),
      timer('c', 3, { target: 'away' }),
      timer('d', 4),
    );
    await runner().runDue();
    expect(await left()).toEqual(['b', 'c']);
    expect(await test.db.query("select failures, failure from projector.timer where key = 'b'")).toEqual([
      { failures: 1, failure: 'away' },
    ]);
    answer = () => undefined;
    now = plus(NOON, 1_000);
    await runner().runDue();
    await runner().runDue();
    expect(await left()).toEqual([]);
  });

  it('keeps the commands to one thing in order through an outage, also those that are set meanwhile', async () => {
    answer = (target) => {
      if (target === 'x') throw new EventStoreUnavailableError('away');
    };
    await set(timer('first', 1, { target: 'x' }), timer('second', 2, { target: 'x' }));
    await runner().runDue();
    answer = () => undefined;
    await set(
      timer('third', 3, { target: 'x' }),
      timer('other', 4),
      timer('alike', 5, { target: 'x', workspace: 'ws_2' }),
    );
    await runner().runDue();
    expect(sent.map(({ position }) => position)).toEqual([4, 5]);
    expect(await nextDue(test.db)).toBe(plus(NOON, 1_000));
    now = plus(NOON, 1_000);
    while ((await runner().runDue()) > 0);
    expect(sent.map(({ position }) => position)).toEqual([4, 5, 1, 2, 3]);
  });

  it('keeps to their order also those that one event led to, when one becomes due while the one before it waits for an engine', async () => {
    answer = () => {
      throw new EventStoreUnavailableError('away');
    };
    await set(
      timer('z expiring', 1, { target: 'x', payload: { target: 'expiring' } }),
      timer('a expired', 1, { target: 'x', payload: { target: 'expired' }, dueAt: plus(NOON, 500) }),
    );
    await runner().runDue();
    answer = () => undefined;
    now = plus(NOON, 500);
    expect(await runner().runDue()).toBe(0);
    now = plus(NOON, 1_000);
    while ((await runner().runDue()) > 0);
    expect(sent.map(({ target }) => target)).toEqual(['expiring', 'expired']);
  });

  it('goes on when two that one event led to wait for an engine both', async () => {
    await set(timer('a', 1, { target: 'x' }), timer('b', 1, { target: 'x' }));
    await test.db.query('update projector.timer set holds = true');
    while ((await runner().runDue()) > 0);
    expect(await left()).toEqual([]);
  });

  it('holds nothing up for a timer that may fail for good', async () => {
    await set(
      timer('unknown', 1, { target: 'x', kind: 'unknown' }),
      timer('after', 2, { target: 'x' }),
      timer('alike', 3, { target: 'x', workspace: 'ws_2' }),
    );
    await runner().runDue();
    expect(sent.map(({ position }) => position)).toEqual([3]);
    await runner().runDue();
    expect(sent.map(({ position }) => position)).toEqual([3, 2]);
    expect(await left()).toEqual(['unknown']);
  });

  it('keeps a timer that was set anew while its command was under way', async () => {
    await set(timer('a', 1));
    let again: Promise<unknown> | undefined;
    answer = () => void (again = set(timer('a', 2, { dueAt: plus(NOON, 60_000) })));
    const running = runner();
    const owed = running.runDue();
    await eventually(() => expect(again).toBeDefined());
    await Promise.all([again, owed]);
    await eventually(async () =>
      expect(await test.db.query('select position from projector.timer')).toEqual([{ position: 2 }]),
    );
  });

  it('puts off nothing that was set anew while its command failed, nor another that the same event led to', async () => {
    await set(timer('a', 1), timer('b', 1, { dueAt: plus(NOON, 30_000) }));
    answer = async () => {
      await set(timer('a', 2, { dueAt: plus(NOON, 60_000) }));
      throw new EventStoreUnavailableError('away');
    };
    await runner().runDue();
    expect(await test.db.query('select key, position, due_at, failures from projector.timer order by key')).toEqual([
      { key: 'a', position: 2, due_at: plus(NOON, 60_000), failures: 0 },
      { key: 'b', position: 1, due_at: plus(NOON, 30_000), failures: 0 },
    ]);
  });

  it('sends in time what is set while it rests, and looks at once only for what is due before it would look anyway', async () => {
    const running = runner();
    const looked = jest.spyOn(test.db, 'query');
    await whileRunning(running, async () => {
      // What is due and what is next, and then it rests for a second; or the next time, should that have passed.
      const looks = () => looked.mock.calls.filter(([text]) => text.startsWith('select')).length;
      await eventually(() => looks() > 0 && looks() % 2 === 0);
      await set(timer('far', 1, { dueAt: plus(NOON, 3_600_000) }), timer('near', 2, { dueAt: plus(NOON, 500) }));
      looked.mockClear();
      running.wake(plus(NOON, 3_600_000));
      // What a wake leads to comes without any timer, and no timer comes in between.
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      expect(looked).not.toHaveBeenCalled();
      now = plus(NOON, 500);
      running.wake(plus(NOON, 500));
      await eventually(() => expect(sent.map(({ target }) => target)).toEqual(['near']));
      now = plus(NOON, 3_600_000);
      await eventually(() => expect(sent.map(({ target }) => target)).toEqual(['near', 'far']));
    }).finally(() => looked.mockRestore());
  });

  it('does not rest when it is woken between its look and its rest', async () => {
    let looks = 0;
    const db = Object.assign(Object.create(test.db) as Database, {
      query: async (text: string, params?: unknown[]) => {
        const rows = await test.db.query(text, params);
        if (text.startsWith('select due_at') && ++looks === 1) running.wake();
        return rows;
      },
    });
    const running = runner({ db });
    const looksBeforeRest: number[] = [];
    const { setTimeout: wait } = globalThis;
    const waits = jest.spyOn(globalThis, 'setTimeout').mockImplementation(((...[end, ms]: Parameters<typeof wait>) => {
      if (ms === 1_000) looksBeforeRest.push(looks);
      return wait(end, ms);
    }) as typeof wait);
    await whileRunning(running, () => eventually(() => expect(looksBeforeRest[0]).toBe(2))).finally(() =>
      waits.mockRestore(),
    );
  });

  /** More than are looked at together. */
  const crowd = (workspace: string, more: Partial<StoredTimer> = {}) =>
    Array.from({ length: 600 }, (_, n) => timer(`${workspace} ${n}`, n, { workspace, ...more }));
  const sentTo = (workspace: string) => sent.filter((it) => it.workspace === workspace).length;

  it('gives each workspace its turn, whatever another has had to do since before', async () => {
    const late = { dueAt: plus(NOON, -MINUTE) };
    await set(...crowd('ws_1', late), ...crowd('ws_2'), timer('post', 601, { workspace: 'ws_3' }));
    await runner().runDue();
    // What the third leaves of its share the oldest have.
    expect(['ws_1', 'ws_2', 'ws_3'].map(sentTo)).toEqual([341, 170, 1]);
  });

  it('gives every workspace a turn before any has another, when more have something to do than have a turn together', async () => {
    const running = runner();
    await set(
      ...crowd('ws_000'),
      ...Array.from({ length: 700 }, (_, n) => timer(`of ${n}`, n, { workspace: `ws_1${n}` })),
    );
    await running.runDue();
    expect([sentTo('ws_000'), sent.length]).toEqual([1, 512]);
    await running.runDue();
    expect(sent.length - sentTo('ws_000')).toBe(700);
  });

  it('sends what a workspace has to do in its order, however many others wait', async () => {
    const oldFirst = crowd('ws_1').map((it, n) => ({ ...it, target: 'x', dueAt: plus(NOON, (n - 600) * MINUTE) }));
    await set(...[...oldFirst].reverse(), ...crowd('ws_2'));
    const running = runner();
    while ((await running.runDue()) > 0);
    const ofOne = sent.filter(({ workspace }) => workspace === 'ws_1').map(({ position }) => position);
    expect(ofOne).toEqual(oldFirst.map(({ position }) => position));
  });

  it('sends what can be sent of a workspace whose oldest are held up', async () => {
    answer = (target) => {
      if (target === 'x') throw new EventStoreUnavailableError('away');
    };
    await set(timer('holds', 0, { target: 'x', workspace: 'ws_1' }));
    await runner().runDue();
    await set(
      ...crowd('ws_1', { target: 'x', dueAt: plus(NOON, -MINUTE), position: 1 }),
      ...crowd('ws_2'),
      timer('other', 601, { workspace: 'ws_1' }),
    );
    await runner().runDue();
    expect([sentTo('ws_1'), sentTo('ws_2')]).toEqual([1, 511]);
  });

  it('keeps nobody waiting for long for what one thing has to do', async () => {
    await set(timer('a', 1, { target: 'x' }), timer('b', 2, { target: 'x' }), timer('c', 3));
    const running = runner({ turnMs: 0 });
    await running.runDue();
    expect(sent.map(({ position }) => position).sort()).toEqual([1, 3]);
    await running.runDue();
    expect(sent.at(-1)).toMatchObject({ position: 2 });
  });

  it('wakes up when it is told, and works through thousands', async () => {
    const running = runner();
    await whileRunning(running, async () => {
      await set(...Array.from({ length: 2_000 }, (_, n) => timer(`t${n}`, n)));
      running.wake();
      await eventually(() => expect(sent).toHaveLength(2_000));
      await eventually(async () => expect(await left()).toEqual([]));
    });
  });
});
