import { cursorAt, positionOf } from './cursor';

const encoded = (text: string): string => Buffer.from(text).toString('base64url');

describe('a cursor', () => {
  it.each([0, 1, 20, 300, Number.MAX_SAFE_INTEGER])('of the position %i is read as that', (position) =>
    expect(positionOf(cursorAt(position))).toBe(position),
  );

  it.each([
    ['is empty', ''],
    ['has no position', encoded('p')],
    ['is of another list', encoded('d00000000-0000-7000-8000-000000000001')],
    ['is spelt with a zero before it', encoded('p07')],
    ['is beyond what a number holds', encoded('p9007199254740993')],
    ['has a character more', `${cursorAt(20)}!`],
    ['has bits that say nothing', cursorAt(1).replace('E', 'F')],
  ])('is refused when it %s', (_, cursor) => expect(() => positionOf(cursor)).toThrow('not one that a list has given'));
});
