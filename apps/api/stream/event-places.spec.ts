import { streamName, type RecordedEvent } from '#event-store';
import type { Engines } from '#platform';
import { messagesOf } from '#public-messages';
import { EventPlaces } from './event-places';

const error = { code: 'refused', message: 'The prompt was refused', detail: null };
const failed: RecordedEvent = {
  id: '00000000-0000-8000-8000-000000000001',
  type: 'OperationFailed',
  data: { operationId: 'op_1', region: null, campaignId: null, kind: 'image', error },
  metadata: {
    workspace: 'ws_1',
    actor: 'usr_1',
    correlationId: 'cor_1',
    causationId: null,
    commandId: 'cmd_1',
    schemaVersion: 1,
    occurredAt: '2026-04-22T14:00:00.000Z',
  },
  stream: streamName('operation', 'ws_1', 'op_1'),
  revision: 0,
  position: 7,
};
const messages = messagesOf(failed);

/** Audit log and outbox that have not got to the event, until somebody asks one of them: then both take it in. */
function justBehind(): EventPlaces {
  let passed = 6;
  const query = async (text: string): Promise<unknown[]> => {
    if (/(min|max)\(position\)/.test(text)) return [{ position: passed }];
    passed = 7;
    return [];
  };
  const readAll = async ({ after }: { after: number }) => ({ events: after < 7 ? [failed] : [], position: 7 });
  return new EventPlaces({ db: { query, inWorkspace: () => ({ query }) }, store: { readAll } } as unknown as Engines);
}

it.each([0, 1])(
  'finds message %i of an event that the audit log and the outbox take in while it looks',
  async (index) => expect(await justBehind().find('ws_1', messages[index]!.id)).toEqual({ position: 7, index }),
);

it('finds a further message of an event that the outbox has forgotten', async () => {
  const event = { ...failed, id: '019dba5e-2200-7123-8abc-000000000001' };
  const other = { ...event, id: '019dba5e-2200-7123-8abc-000000000002', position: 9 };
  const [, second] = messagesOf(event);
  const asked: unknown[][] = [];
  const query = async (text: string, values: unknown[]) => {
    if (!text.includes('between')) return text.includes('min(position)') ? [{ position: 20 }] : [];
    asked.push(values.slice(0, 3));
    return [{ position: 9 }, { position: 7 }];
  };
  const readAll = async ({ after }: { after: number }) => ({
    events: [event, other].filter(({ position }) => position === after),
    position: 20,
  });
  const places = new EventPlaces({
    db: { query, inWorkspace: () => ({ query }) },
    store: { readAll },
  } as unknown as Engines);
  expect(await places.find('ws_1', second!.id)).toEqual({ position: 7, index: 1 });
  const ofThatTime = (rest: string) => `019dba5e-2200-${rest}`;
  expect(asked).toEqual([['ws_1', ofThatTime('0000-0000-000000000000'), ofThatTime('ffff-ffff-ffffffffffff')]]);
});

it('says of an id that nobody has given that there is no such event', () =>
  expect(justBehind().find('ws_1', 'evt_00000000-0000-8000-8000-00000000000f')).rejects.toMatchObject({
    code: 'EVENT_UNKNOWN',
  }));
