import { decider, fold, type Command } from './decider';
import type { Message } from './message';

type Counted = Message<'Counted', { readonly by: number }>;
const counter = decider<Command<'Count', { readonly by: number }>, Counted, number>({
  initial: 0,
  decide: { Count: ({ by }) => [{ type: 'Counted', data: { by } }] },
  evolve: { Counted: (sum, { by }) => sum + by },
});
const counted = (by: number): Counted => ({ type: 'Counted', data: { by } });

describe('folding', () => {
  it('begins where it is told to, else at the beginning, and takes the oldest first', () => {
    expect(fold(counter, [counted(1), counted(2)])).toBe(3);
    expect(fold(counter, [counted(1), counted(2)], 10)).toBe(13);
    expect(fold(counter, [])).toBe(0);
  });

  it('passes over no event that it does not know', () =>
    expect(() => fold(counter, [counted(1), { type: 'Reset', data: {} } as never])).toThrow(
      'No evolve for event Reset',
    ));
});
