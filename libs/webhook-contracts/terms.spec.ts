import { contracts } from '.';

const [m, h] = [60, 3600];
const core = [5, 5 * m, 30 * m, 2 * h, 5 * h, 10 * h, 14 * h, 20 * h, 24 * h];

// CONTRACTS §1: retries, time-out of the whole exchange, days that a parked delivery is kept, scheme.
it.each([
  ['core', core, 15, 30, 'standard-webhooks', false],
  ['postiz', [m, 5 * m, 15 * m, h], 15, 30, 'standard-webhooks', false],
  ['posteverywhere', [m, 5 * m, 15 * m, h], 15, 30, 'standard-webhooks', false],
  ['posternity', [0, m, 5 * m, 15 * m, h], 30, 7, 'standard-webhooks', false],
  ['post-ez', [30, 2 * m, 10 * m, h, 6 * h], 10, null, 'post-ez', true],
  ['standard', core, 15, 30, 'standard-webhooks', false],
  ['cloudevents', core, 15, 30, 'standard-webhooks', false],
] as const)('%s keeps its terms', (name, ladder, timeout, days, scheme, idPerDelivery) =>
  expect(contracts.get(name)).toMatchObject({
    version: 1,
    retryDelaysSeconds: ladder,
    timeoutSeconds: timeout,
    parkedRetentionDays: days,
    signature: scheme,
    idPerDelivery,
    jitter: 0.1,
  }),
);

it('adds the delays of Post-EZ up to its 7 h 12 min 30 s', () =>
  expect(contracts.get('post-ez')!.retryDelaysSeconds.reduce((sum, delay) => sum + delay)).toBe(7 * h + 12 * m + 30));
