import type { CoreMessage } from '#public-messages';
import type { ContractGroup } from '../endpoints/endpoint-directory';
import { Draft, Place } from './draft';

const MIDNIGHT = Date.parse('2027-01-01T00:00:00Z');
const dayOf = (id: string): string =>
  new Date(parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toISOString().slice(0, 10);

describe('a draft', () => {
  const message = { id: 'evt_1', key: 'pst_1', type: 'post.published' } as CoreMessage;
  const groups = [
    {
      contract: { name: 'core', render: () => [{ id: 'evt_1', coreId: 'evt_1', type: 'post.published', body: '{}' }] },
      endpoints: [{ row: { id: 'whe_1', config: {} } }, { row: { id: 'whe_2', config: {} } }],
    },
  ] as unknown as ContractGroup[];
  const drafted = (ms: number): Draft => {
    const draft = new Draft(() => ms);
    draft.add(
      message,
      groups,
      () => 'send',
      () => Place.memory,
    );
    return draft;
  };

  it('has each body on the day of its deliveries, also when the clock is set back over midnight', () => {
    expect(drafted(MIDNIGHT + 100).bodies.map(({ id }) => dayOf(id))).toEqual(['2027-01-01']);
    // Ids go on ascending, in the day that had begun.
    const { deliveries, bodies } = drafted(MIDNIGHT - 100);
    expect(deliveries.map(({ id }) => dayOf(id))).toEqual(['2027-01-01', '2027-01-01']);
    expect(bodies.map(({ id }) => dayOf(id))).toEqual(['2027-01-01']);
  });
});
