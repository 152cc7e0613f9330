import { sparingly } from './sparingly';

it('shows the first of many lines, and makes no other', () => {
  const shown: string[] = [];
  const show = sparingly((line) => shown.push(line), 3_600_000);
  const second = jest.fn(() => 'second');
  show(() => 'first');
  show(second);
  expect([shown, second.mock.calls]).toEqual([['first'], []]);
});

it('shows all that come slowly enough', () => {
  const shown: string[] = [];
  const show = sparingly((line) => shown.push(line), 0);
  for (const line of ['first', 'second']) show(() => line);
  expect(shown).toEqual(['first', 'second']);
});
