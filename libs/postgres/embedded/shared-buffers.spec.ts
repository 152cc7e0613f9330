import { sharedBuffers } from './shared-buffers';

const GB = 1024 ** 3;

test.each([
  [64 * GB, '1024MB'],
  [8 * GB, '1024MB'],
  [4 * GB + 1, '512MB'],
  [2 * GB, '256MB'],
  [1 * GB, '128MB'],
  [GB / 4, '128MB'],
])('of %d bytes of memory the server keeps %s of its tables', (memory, kept) => {
  expect(sharedBuffers(memory)).toBe(kept);
});

test('without a size it goes by this machine', () => {
  expect(sharedBuffers()).toMatch(/^(1[2-9]\d|[2-9]\d\d|10[01]\d|102[0-4])MB$/);
});
