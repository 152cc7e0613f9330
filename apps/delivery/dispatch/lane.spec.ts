import type { Endpoint } from '../endpoints/endpoint';
import { Circuit } from './circuit';
import { Fifo } from './fifo';
import { Lane } from './lane';
import { Pace } from './pace';
import { Share } from './share';
import type { Task } from './task';

/** What memory has for one endpoint when it has nothing else. */
const ALL = Infinity;

describe('the share of an endpoint', () => {
  it('grows with quick answers up to its most, and halves with slow ones, but never to nothing', () => {
    const share = new Share(32);
    for (let n = 0; n < 100; n++) share.took(5, 204);
    expect(share.limit).toBe(32);
    for (const limit of [16, 8, 4, 2, 1, 1]) {
      share.took(15_000, undefined);
      expect(share.limit).toBe(limit);
    }
    share.took(5, 204);
    expect(share.limit).toBe(2);
  });

  it('does not grow with failures', () => {
    const share = new Share(32);
    const before = share.limit;
    share.took(1, undefined);
    expect(share.limit).toBe(before);
  });

  it.each([429, 502, 503, 504])('halves with a %i, however quick', (status) => {
    const share = new Share(32);
    for (let n = 0; n < 100; n++) share.took(5, 204);
    share.took(1, status);
    expect(share.limit).toBe(16);
  });

  it('grows from where it was too much only when all have been answered well', () => {
    const share = new Share(32);
    const after = (times: number, status = 204) => {
      for (let n = 0; n < times; n++) share.took(999, status);
      return share.limit;
    };
    share.took(1_000, 204);
    expect([share.limit, after(3), after(1), after(4), after(1)]).toEqual([4, 4, 5, 5, 6]);
    // What was answered well before it was too much again counts no more.
    expect([after(5), after(1, 503), after(2), after(1)]).toEqual([6, 3, 3, 4]);
  });

  it('begins with little when the endpoint was away, and grows again', () => {
    const share = new Share(32);
    for (let n = 0; n < 100; n++) share.took(5, 204);
    share.beginAnew();
    expect(share.limit).toBe(2);
    share.took(5, 204);
    expect(share.limit).toBe(3);
    for (let n = 0; n < 3; n++) share.took(5, 503);
    share.beginAnew();
    expect(share.limit).toBe(1);
  });

  it('knows how much would be sent in a time', () => {
    const share = new Share(10);
    for (let n = 0; n < 200; n++) share.took(100, 204);
    expect(Math.round(share.within(1_000) / 10)).toBe(10);
    expect(share.within(1)).toBe(1);
    for (let n = 0; n < 200; n++) share.took(0, 204);
    expect(share.within(1_000)).toBe(10_000);
  });
});

describe('the circuit of an endpoint', () => {
  const failing = (times: number): Circuit => {
    const circuit = new Circuit(1);
    for (let n = 0; n < times; n++) circuit.failed(0);
    return circuit;
  };

  it('opens after 25 failures in a row without an answer', () => {
    expect([24, 25].map((times) => failing(times).isOpen)).toEqual([false, true]);
  });

  it('lets probes through at growing pauses, thirty seconds at most', () => {
    const circuit = failing(25);
    const waits: number[] = [];
    for (let now = 0; waits.length < 8; now += waits.at(-1)!) {
      waits.push(circuit.waitMs(now));
      circuit.failed(now + waits.at(-1)!);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('closes at the first answer of any kind, and begins with the first pause when it opens again', () => {
    const circuit = failing(40);
    circuit.reached();
    expect([circuit.isOpen, circuit.waitMs(0)]).toEqual([false, 0]);
    for (let n = 0; n < 25; n++) circuit.failed(0);
    expect(circuit.waitMs(0)).toBe(1_000);
  });

  it('is probed as much sooner as every retry comes', () => {
    const circuit = new Circuit(0.01);
    const waitAfter = (times: number) => {
      for (let n = 0; n < times; n++) circuit.failed(0);
      return circuit.waitMs(0);
    };
    expect([waitAfter(25), waitAfter(25)]).toEqual([10, 300]);
  });
});

describe('the pace of an endpoint', () => {
  const sent = (pace: Pace, from: number, to: number): number[] => {
    const went: number[] = [];
    for (let now = from; now < to; now += 5)
      if (pace.waitMs(now) === 0) {
        went.push(now);
        pace.went(now);
      }
    return went;
  };

  it('saves nothing up for a burst, and goes no further than its turns do', () => {
    const pace = new Pace(40);
    expect([pace.span, pace.waitMs(0)]).toEqual([4, undefined]);
    pace.isAsked = true;
    pace.given(1_000);
    expect([pace.isAsked, pace.waitMs(0)]).toEqual([false, 1_000]);
    expect(sent(pace, 1_030, 2_000)).toEqual([1_030, 1_055, 1_080]);
    expect(pace.waitMs(1_095)).toBeUndefined();
  });

  it('keeps its distance from one span of turns to the next', () => {
    const pace = new Pace(10);
    for (const from of [0, 100, 200]) {
      pace.given(from);
      sent(pace, from + 40, from + 100);
    }
    pace.given(300);
    expect(pace.waitMs(300)).toBe(40);
  });

  it('asks for one turn where they are rare', () => {
    const pace = new Pace(0.01);
    pace.given(0);
    expect([pace.span, pace.waitMs(99_999), pace.waitMs(100_000)]).toEqual([1, 0, undefined]);
    expect(new Pace(11).span).toBe(2);
  });

  it('is unbounded where no rate was asked for', () => {
    const pace = new Pace(null);
    pace.went(1);
    expect(pace.waitMs(1)).toBe(0);
  });
});

describe('the lane of an endpoint', () => {
  const endpoint = (rateLimitPerSecond: number | null = null, targetUrl = 'https://one.example/', phase = 'live') =>
    ({ row: { phase, config: { rateLimitPerSecond, targetUrl } } }) as Endpoint;
  const laneOf = (it = endpoint()) => new Lane(it, { max: 32, retryScale: 1 });
  const exchange = (lane: Lane, at: number, ms: number, status = 204) => {
    lane.went(at);
    lane.came(ms, status, at + ms);
  };
  const away = (lane: Lane) => {
    for (let n = 0; n < 25; n++) lane.went(0);
    for (let n = 0; n < 25; n++) lane.came(1, undefined, 0);
  };

  it('begins with two exchanges at once, has one while its circuit is open, and two again when it is back', () => {
    const lane = laneOf();
    expect(lane.limit).toBe(2);
    exchange(lane, 0, 5);
    expect(lane.limit).toBe(9);
    away(lane);
    expect([lane.limit, lane.waitMs(0), lane.keepsUp(0)]).toEqual([1, 1_000, false]);
    exchange(lane, 1_000, 5, 500);
    expect([lane.limit, lane.waitMs(1_005)]).toEqual([2, 0]);
  });

  it('holds much in memory while it keeps up, and as much as it sends in two seconds when it does not', () => {
    const lane = laneOf();
    expect([lane.room(0, ALL), lane.roomForBacklog(0, ALL)]).toEqual([200, 100]);
    expect([lane.room(0, 20), lane.roomForBacklog(0, 20)]).toEqual([20, 10]);
    exchange(lane, 0, 5);
    expect([lane.room(5, ALL), lane.roomForBacklog(5, ALL)]).toEqual([4_000, 2_000]);
    for (let n = 0; n < 30; n++) exchange(lane, 10, 600);
    expect([lane.keepsUp(10), lane.room(10, ALL)]).toEqual([false, lane.share.within(2_000)]);
    for (let n = 0; n < 30; n++) exchange(lane, 10, 15_000);
    expect(lane.room(10, ALL)).toBe(50);
    away(lane);
    expect(lane.room(10, ALL)).toBe(1);
  });

  it.each([
    [40, 80],
    [0.1, 1],
  ])('holds, at %d a second, %d', (rate, room) => {
    const lane = laneOf(endpoint(rate));
    expect(lane.room(0, ALL)).toBe(room);
    exchange(lane, 0, 5);
    expect([lane.keepsUp(5), lane.room(5, ALL)]).toEqual([false, room]);
  });

  it('counts what waits, what waits for a key and what is in flight', () => {
    const lane = laneOf();
    const [waiting, sealed] = [{}, {}] as [Task, Task];
    lane.tasks.push(waiting);
    lane.sealed.add(sealed);
    lane.went(0);
    expect([lane.held, lane.room(0, ALL), lane.roomForBacklog(0, ALL)]).toEqual([3, 197, 97]);
    expect(lane.clear()).toEqual([waiting, sealed]);
    expect(lane.held).toBe(1);
  });

  it('is silent a quarter of a second after an exchange has begun or an answer has come, and keeps up no more after half of one', () => {
    const lane = laneOf();
    expect(lane.isSilent(10_000)).toBe(false);
    exchange(lane, 0, 5);
    expect([lane.isSilent(10_000), lane.keepsUp(10_000)]).toEqual([false, true]);
    lane.went(1_000);
    lane.went(1_100);
    expect([1_250, 1_251].map((now) => lane.isSilent(now))).toEqual([false, true]);
    expect([1_500, 1_501].map((now) => lane.keepsUp(now))).toEqual([true, false]);
    lane.came(200, 204, 1_300);
    expect([1_550, 1_551].map((now) => lane.isSilent(now))).toEqual([false, true]);
  });

  it('is as silent as before when it is only tried again', () => {
    const lane = laneOf();
    exchange(lane, 0, 5);
    lane.went(1_000);
    lane.came(5, undefined, 1_005);
    lane.went(2_000);
    expect(lane.isSilent(2_001)).toBe(true);
  });

  it('forgets what it has learned of another target, and nothing when only its rate changes', () => {
    const lane = laneOf();
    exchange(lane, 0, 5);
    away(lane);
    lane.endpoint = endpoint(10);
    expect([lane.pace.perSecond, lane.limit, lane.waitMs(0)]).toEqual([10, 1, 1_000]);
    const { pace } = lane;
    lane.endpoint = endpoint(10, 'https://two.example/');
    expect(lane.pace).toBe(pace);
    expect([lane.limit, lane.circuit.waitMs(0), lane.isSilent(9_000)]).toEqual([2, 0, false]);
    lane.went(9_000);
    expect(lane.isSilent(9_001)).toBe(false);
  });

  it('counts what is under way to a target that it had before as its own, and is not over before that is', () => {
    const lane = laneOf();
    const isPresent = lane.went(0);
    lane.endpoint = endpoint(null, 'https://two.example/', 'deleted');
    expect([isPresent(), lane.inFlight, lane.held, lane.isOver]).toEqual([false, 0, 1, false]);
    lane.former--;
    expect([lane.held, lane.isOver]).toEqual([0, true]);
  });
});

describe('a fifo', () => {
  it('gives back in order, over and over', () => {
    const fifo = new Fifo<number>();
    let next = 0;
    for (let round = 0; round < 5_000; round++) {
      fifo.push(round * 2);
      fifo.push(round * 2 + 1);
      expect(fifo.shift()).toBe(next++);
    }
    expect(fifo.length).toBe(5_000);
    expect(fifo.clear()[0]).toBe(5_000);
    expect(fifo.shift()).toBeUndefined();
  });
});
