import { grouped } from './grouped';

describe('grouped', () => {
  it('keeps the order of the groups and within each', () => {
    const groups = grouped(['pear', 'fig', 'plum', 'apple'], ([first]) => first!);
    expect([...groups]).toEqual([
      ['p', ['pear', 'plum']],
      ['f', ['fig']],
      ['a', ['apple']],
    ]);
  });
});
