import { destroying, type SubjectKeys } from '#personal-data';
import { upcast, type DomainEvent } from '#public-messages';
import type { Projection } from './projection';

type Erased = Extract<DomainEvent, { type: 'SubjectErased' }>['data'];
const ERASED: DomainEvent['type'] = 'SubjectErased';

/**
 * Destroys the keys that the log says are erased. The api does so before it answers; this is for an api that died in between. Done
 * twice it changes nothing.
 */
export const erasuresProjection = (keys: Pick<SubjectKeys, 'destroyed'>): Projection => ({
  name: 'erasures',
  shape: 'erasures',
  paceMs: 0,
  wants: ({ type }) => type === ERASED,
  build: () => ({
    prepare: async () => undefined,
    changes: async (_, { events }) => ({
      writes: events
        .map(upcast)
        .map(({ data, metadata: { workspace, occurredAt } }) =>
          destroying(workspace, (data as Erased).keys, occurredAt),
        ),
      done: () => keys.destroyed(),
    }),
  }),
});
