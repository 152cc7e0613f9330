import type { RecordedEvent } from './event-store';
import { upcastBy } from './upcast';

const schema = {
  version: 3,
  upcasters: [
    (data: Record<string, unknown>) => ({ name: data['title'] }),
    (data: Record<string, unknown>) => {
      const [first, last] = String(data['name']).split(' ');
      return { name: { first, last } };
    },
  ],
};
const recorded = (schemaVersion: number, data: object): RecordedEvent => ({
  id: '00000000-0000-8000-8000-000000000001',
  type: 'Renamed',
  data,
  stream: 'person-ws_1:1',
  revision: 0,
  position: 1,
  metadata: {
    workspace: 'ws_1',
    actor: 'usr_1',
    correlationId: 'c',
    causationId: null,
    commandId: 'k',
    schemaVersion,
    occurredAt: '2026-04-22T14:00:00.000Z',
  },
});

describe('an event of an older version', () => {
  it.each([
    [1, { title: 'Ada Lovelace' }],
    [2, { name: 'Ada Lovelace' }],
    [3, { name: { first: 'Ada', last: 'Lovelace' } }],
  ])('is read as the present one from version %i on', (version, data) => {
    const event = recorded(version, data);
    const before = structuredClone(event);
    expect(upcastBy(schema, event)).toEqual(recorded(3, { name: { first: 'Ada', last: 'Lovelace' } }));
    expect(event).toEqual(before);
  });

  it('is refused when a step is missing', () => {
    expect(() => upcastBy({ version: 3, upcasters: [schema.upcasters[0]!] }, recorded(1, {}))).toThrow(
      'no upcaster from version 2',
    );
  });

  it('is refused when it is newer than the build', () => {
    expect(() => upcastBy(schema, recorded(4, {}))).toThrow('version 4 is newer than this build, which knows 3');
  });
});
