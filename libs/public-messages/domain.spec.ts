import { aggregates, eventSchemas } from '.';

it('knows each event of each aggregate, and no other', () => {
  const types = aggregates.flatMap(({ events }) => Object.keys(events));
  expect([...types].sort()).toEqual(Object.keys(eventSchemas).sort());
  expect(new Set(types).size).toBe(types.length);
});

it('knows each aggregate by a category of its own, which a stream name can hold', () => {
  const categories = aggregates.map(({ category }) => category);
  expect(new Set(categories).size).toBe(categories.length);
  for (const category of categories) expect(category).toMatch(/^[a-z_]+$/);
});
