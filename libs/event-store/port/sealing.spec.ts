import { byActor } from '#kernel';
import type { NewEvent } from './event-store';
import { sealEvents, type Sealing } from './sealing';

const sealing: Sealing = {
  key: (workspace, subject) => ({ seal: (place, json) => ({ $sealed: `${workspace} ${subject} ${place} ${json}` }) }),
};
const schemas = { Noted: { personal: { 'note.text': byActor, reason: byActor } } };
const noted = (data: object, actor = 'usr_1'): NewEvent => ({
  id: 'e1',
  type: 'Noted',
  data,
  metadata: {
    workspace: 'ws_1',
    actor,
    correlationId: 'c',
    causationId: null,
    commandId: 'k',
    schemaVersion: 1,
    occurredAt: '2026-04-22T14:00:00.000Z',
  },
});

describe('the personal fields of an event', () => {
  it('are sealed for their subject, at their place, and nothing beside them', () => {
    const event = noted({ note: { text: 'Ada', n: 1 }, reason: 'late' });
    expect(sealEvents(sealing, schemas, [event])).toEqual([
      noted({
        note: { text: { $sealed: 'ws_1 usr_1 e1/note/text "Ada"' }, n: 1 },
        reason: { $sealed: 'ws_1 usr_1 e1/reason "late"' },
      }),
    ]);
  });

  it('stay as they are where they come sealed, whoever passes them on, and where there is nothing in them', () => {
    const event = noted({ note: { text: { $sealed: 'usr_2.1.x' } }, reason: null });
    expect(sealEvents(sealing, schemas, [event])).toEqual([event]);
    expect(sealEvents(sealing, schemas, [noted({ note: null })])).toEqual([noted({ note: null })]);
  });

  it('stay as they are when they are of nobody', () => {
    const event = noted({ note: { text: 'due' }, reason: 'due' }, 'system');
    expect(sealEvents(sealing, schemas, [event])).toEqual([event]);
  });
});
