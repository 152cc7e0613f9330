import * as fc from 'fast-check';
import { changeEras, eraAt, takes, type Era } from './eras';

const TYPES = ['a.one', 'a.two', 'b.one', 'c.one'] as const;
const patterns = fc.subarray(['a.*', 'a.one', 'b.*', 'c.one', '*'], { minLength: 1 });
const begin = (eventTypes: readonly string[]): Era[] => [{ after: 0, enabled: true, all: [eventTypes] }];

describe('eras', () => {
  it('take by the old types before a change and by the new ones after it was learned', () => {
    const eras = changeEras(begin(['a.*']), 10, 20, { enabled: true, eventTypes: ['b.*'] });
    expect([5, 10].map((at) => takes(eraAt(eras, at), 'a.one'))).toEqual([true, true]);
    expect([11, 20, 21].map((at) => [takes(eraAt(eras, at), 'a.one'), takes(eraAt(eras, at), 'b.one')])).toEqual([
      [false, false],
      [false, false],
      [false, true],
    ]);
  });

  it('follow disabling from its position on', () => {
    const eras = changeEras(begin(['*']), 10, 20, { enabled: false, eventTypes: ['*'] });
    expect([10, 11, 20, 21].map((at) => eraAt(eras, at).enabled)).toEqual([true, false, false, false]);
  });

  it('say nothing twice', () => {
    const next = { enabled: false, eventTypes: ['*'] };
    const [first] = begin(['*']);
    const changed = (after: number) => ({ after, enabled: false, all: [['*']] });
    expect(changeEras([first!], 5, 5, next)).toEqual([first, changed(5)]);
    expect(changeEras([first!], 5, 9, next)).toEqual([first, changed(5), changed(9)]);
  });

  it('are kept up to a bound, the newest of them', () => {
    let eras = begin(['*']);
    for (let at = 1; at <= 100; at++) eras = changeEras(eras, at * 10, 0, { enabled: at % 2 === 0, eventTypes: ['*'] });
    expect(eras).toHaveLength(64);
    expect([990, 991, 1_000, 1_001].map((at) => eraAt(eras, at).enabled)).toEqual([true, false, false, true]);
  });

  it('give every event once in all, by an intake or from the log, whenever each saw it and however late changes are learned', () => {
    const change = fc.record({
      gap: fc.integer({ min: 1, max: 5 }),
      late: fc.integer({ min: 0, max: 8 }),
      types: patterns,
    });
    fc.assert(
      fc.property(
        patterns,
        fc.array(change, { maxLength: 5 }),
        fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 60, maxLength: 60 }),
        (first, changes, seenAfter) => {
          let [position, head, types] = [0, 0, first];
          const applied = changes.flatMap(({ gap, late, types: next }) => {
            position += gap;
            // One that leaves the types as they are adds nothing.
            if (JSON.stringify(next) === JSON.stringify(types)) return [];
            head = Math.max(head, position + late);
            return [{ position, head, types: (types = next) }];
          });
          const last = head + 5;
          const histories: Era[][] = [begin(first)];
          for (const { position: at, head: upTo, types: next } of applied)
            histories.push(changeEras(histories.at(-1)!, at, upTo, { enabled: true, eventTypes: next }));
          for (let at = 1; at <= last; at++) {
            // The log's own answer: the types as of the newest change before it.
            const asked = applied.filter((one) => one.position < at).at(-1)?.types ?? first;
            // An intake sees it at some moment: never before it is in the log, so after every change whose head it is beyond.
            const earliest = applied.filter((one) => one.head < at).length;
            const seen = Math.min(histories.length - 1, Math.max(earliest, seenAfter[at % 60]!));
            for (const type of TYPES) {
              const isWanted = takes({ after: 0, enabled: true, all: [asked] }, type);
              const byIntake = takes(eraAt(histories[seen]!, at), type);
              // What each change adds from the log: new types that the eras before it did not take, unless it is there already.
              let there = byIntake && seen === 0;
              let count = byIntake ? 1 : 0;
              applied.forEach((one, index) => {
                if (index === seen && byIntake) there = true;
                // What follows the next change in the log is the next one's.
                const upTo = Math.min(one.head, applied[index + 1]?.position ?? Infinity);
                if (at <= one.position || at > upTo || there) return;
                const adds =
                  takes({ after: 0, enabled: true, all: [one.types] }, type) &&
                  !takes(eraAt(histories[index]!, at), type);
                if (!adds) return;
                if (!isWanted) throw new Error(`${type} at ${at} is given from the log, and not wanted`);
                count++;
                there = true;
              });
              if (isWanted && count === 0) throw new Error(`${type} at ${at} is lost`);
              if (count > 1) throw new Error(`${type} at ${at} comes ${count} times`);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
