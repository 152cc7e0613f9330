import { parseOptions } from './options';

const parse = (line: string) => parseOptions(line.split(' ').filter((word) => word !== ''));

describe('the options of migrate-store', () => {
  it('are two stores, and what is to be switched', () => {
    expect(parse('--from embedded --to esdb://h:2113?tls=false')).toEqual({
      from: 'embedded',
      to: 'esdb://h:2113?tls=false',
    });
    expect(parse('--to postgres://u@h/d --from kurrentdb://h --switch postgres://u@h/d --bus kafka://h:9092')).toEqual({
      from: 'kurrentdb://h',
      to: 'postgres://u@h/d',
      switch: 'postgres://u@h/d',
      bus: 'kafka://h:9092',
    });
  });

  it.each(['', '--help', '--from x -h'])('are explained for "%s"', (line) => expect(parse(line)).toBe('help'));

  it.each([
    ['--form embedded --to esdb://h', '--form is not an option'],
    ['--from embedded', '--to is missing'],
    ['--from embedded --to', '--to needs a value'],
    ['--from --to esdb://h', '--from needs a value'],
    ['--from embedded --from embedded', '--from is given twice'],
    ['--from embedded --to embedded', 'are the same store'],
    ['--from embedded --to kafka://h', '--to must be postgres://…, esdb://… or embedded'],
    ['--from embedded --to esdb://h --switch esdb://h', '--switch must be postgres://… or embedded'],
    ['--from embedded --to esdb://h --switch embedded --bus h', '--bus must be kafka://'],
    ['--from embedded --to esdb://h --bus kafka://h', '--bus is of use with --switch only'],
  ])('refuse "%s" in one sentence', (line, sentence) => expect(() => parse(line)).toThrow(sentence));
});
