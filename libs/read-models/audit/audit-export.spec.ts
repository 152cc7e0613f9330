import { publicEventId } from '#kernel';
import { exportAudit } from './audit-export';
import { cursorAt } from '../keyed/cursor';
import type { AuditQuery, AuditRow } from './audit.query';

const ROW: AuditRow = {
  position: 1,
  event_id: '00000000-0000-4000-8000-000000000001',
  at: '2026-05-01T12:00:00.000Z',
  action: 'RegionPerformanceUpdated',
  entity_type: 'region',
  entity_id: 'r',
  actor: 'key_1',
  correlation_id: 'c',
  causation_id: null,
  revision: 0,
  data: '{}',
  hash: 'ab',
  previous_hash: null,
};

/** The only line of a table, with these fields as they were given. */
async function cellsOf(row: Partial<AuditRow>): Promise<string[]> {
  const query = {
    async *batches() {
      yield [{ ...ROW, ...row }];
    },
  };
  const keys = { open: async (_: string, text: string) => ({ text, erased: false }) };
  let table = '';
  for await (const chunk of exportAudit(query, keys, 'ws_1', {}, 'csv')) table += chunk;
  return table.split('\r\n')[1]!.split(',');
}

it.each(['=1+1', '+1', '-2+3', '@SUM(A1)', '\t=1', '＝1+1'])(
  'marks text that a spreadsheet would run as text: %j',
  async (text) => {
    const names = { action: text, entity_type: text, entity_id: text, actor: text };
    const cells = await cellsOf({ ...names, correlation_id: text, causation_id: text });
    const marked = `'${text}`;
    expect(cells).toEqual([
      ...[publicEventId(ROW.event_id), '1', ROW.at],
      ...[marked, marked, marked, marked, marked, marked],
      ...['', '0', '{}', 'ab', '', '', ''],
    ]);
  },
);

it('leaves every other text as it is', async () => {
  expect((await cellsOf({ entity_id: "it's=1-1" }))[5]).toBe("it's=1-1");
});

it('is a table with its head alone where there is nothing to say, and no line at all', async () => {
  const nothing = { async *batches() {} };
  const keys = { open: async (_: string, text: string) => ({ text, erased: false }) };
  const said = async (format: 'csv' | 'ndjson') => {
    let text = '';
    for await (const chunk of exportAudit(nothing, keys, 'ws_1', {}, format)) text += chunk;
    return text;
  };
  expect(await said('csv')).toMatch(/^id,position,[^\r\n]*,erased\r\n$/);
  expect(await said('ndjson')).toBe('');
});

it.each([
  ['a position', '7', cursorAt(7)],
  ['the longest position', '9007199254740991', cursorAt(Number.MAX_SAFE_INTEGER)],
  ['a cursor of the list', cursorAt(7), cursorAt(7)],
  ['nothing', undefined, undefined],
])('begins after %s', async (_, given, after) => {
  const begun: (string | undefined)[] = [];
  const query = {
    async *batches(...[, , , cursor]: Parameters<AuditQuery['batches']>) {
      begun.push(cursor);
      yield [ROW];
    },
  };
  const keys = { open: async (_: string, text: string) => ({ text, erased: false }) };
  for await (const _ of exportAudit(query, keys, 'ws_1', {}, 'ndjson', given));
  expect(begun).toEqual([after]);
});
