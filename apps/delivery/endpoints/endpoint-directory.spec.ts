import type { Sql } from '#postgres';
import { EndpointDirectory } from './endpoint-directory';
import type { EndpointRow, Phase } from './endpoint';

/** How often it was asked whose any of the rows is. */
let looks = 0;

const row = (no: number, workspace: string, { phase = 'live' as Phase, version = no, contract = 'core' } = {}) =>
  ({
    no,
    get workspace() {
      looks++;
      return workspace;
    },
    id: `whe_${no}`,
    config: { contract, eventTypes: ['*'], secrets: [] },
    enabled: true,
    phase,
    position: 1,
    cursor: 1,
    eras: [{ after: 0, enabled: true, all: [['*']] }],
    version,
    failing_since: null,
  }) as unknown as EndpointRow;

/** A directory of what `rows` has: like a table, it gives what is newer than a version. */
function directoryOf(rows: EndpointRow[]): EndpointDirectory {
  const query = async (text: string, [after]: readonly unknown[] = []): Promise<unknown[]> =>
    text.includes('endpoint_version')
      ? [{ version: Math.max(...rows.map(({ version }) => version)) }]
      : rows.filter(({ version }) => version > (after as number));
  return new EndpointDirectory({ query } as unknown as Sql, (box) => box, fail);
}

const fail = (_: EndpointRow, error: Error): never => {
  throw error;
};

const numbersOf = (directory: EndpointDirectory, workspace: string) =>
  directory
    .of(workspace)
    .map(({ contract, endpoints }) => [contract.name, endpoints.map(({ no }) => no).sort((a, b) => a - b)]);

describe('the directory of endpoints', () => {
  it('gives the live endpoints of a workspace by their contracts, as they are now', async () => {
    const rows = [row(1, 'ws_1'), row(2, 'ws_1', { contract: 'postiz' }), row(3, 'ws_2'), row(4, 'ws_1')];
    rows.push(row(5, 'ws_1', { phase: 'catching_up' }));
    const directory = directoryOf(rows);
    await directory.refresh();
    expect(numbersOf(directory, 'ws_1')).toEqual([
      ['core', [1, 4]],
      ['postiz', [2]],
    ]);
    expect(numbersOf(directory, 'ws_2')).toEqual([['core', [3]]]);

    rows[4] = row(5, 'ws_1', { version: 6 });
    rows[1] = row(2, 'ws_1', { version: 7, phase: 'deleted', contract: 'postiz' });
    rows[2] = row(3, 'ws_2', { version: 8, phase: 'deleted' });
    await directory.refresh();
    expect(numbersOf(directory, 'ws_1')).toEqual([['core', [1, 4, 5]]]);
    expect(numbersOf(directory, 'ws_2')).toEqual([]);
    expect(directory.get(3)!.row.phase).toBe('deleted');
  });

  it('looks at the endpoints of other workspaces neither for a change nor at its start', async () => {
    const rows = Array.from({ length: 400 }, (_, n) => row(n + 1, `ws_${n}`));
    const directory = directoryOf(rows);
    looks = 0;
    await directory.refresh();
    const atStart = looks;
    expect(atStart).toBeLessThan(10 * rows.length);

    rows[7] = row(8, 'ws_7', { version: 401 });
    await directory.refresh();
    expect(looks - atStart).toBeLessThan(10);
    expect(directory.get(8)!.row.version).toBe(401);
  });
});
