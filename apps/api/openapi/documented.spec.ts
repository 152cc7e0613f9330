import { documented, swaggerOfAll } from './documented';

const told: string[] = [];
const mockTold = told;
jest.mock('@nestjs/swagger', () => {
  mockTold.push('read');
  return { ApiTags: (name: string) => (target: { name: string }) => void mockTold.push(`${name} of ${target.name}`) };
});

const tagged = (name: string) => documented(({ ApiTags }) => ApiTags(name));

describe('what is documented', () => {
  it('is told in its order, once, to a package that is not read before somebody asks', async () => {
    @tagged('first')
    @tagged('second')
    class Bakery {}
    expect([Bakery.name, told]).toEqual(['Bakery', []]);

    await swaggerOfAll();
    expect(told).toEqual(['read', 'second of Bakery', 'first of Bakery']);

    tagged('third')(class Late {});
    await swaggerOfAll();
    expect(told.slice(3)).toEqual(['third of Late']);
  });
});
