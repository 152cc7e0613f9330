import type { Database, Sql } from '#postgres';
import { READER } from '#postgres/workspace-query';

/** What a statement did to find its rows. */
export interface Reading {
  /** Tables that were read from end to end. */
  readonly scanned: readonly string[];
  /** Rows that were looked at, those left out again included. */
  readonly read: number;
  /** Rows that were sorted at most. */
  readonly sorted: number;
  /** The nodes of the plan. */
  readonly plan: string;
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** A table of less is read as fast from end to end. */
const SMALL = 1_000;

const rowsOf = (node: PlanNode): number =>
  (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) *
  node['Actual Loops'];

const all = (node: PlanNode): readonly PlanNode[] => [node, ...(node.Plans ?? []).flatMap(all)];

function readingOf(root: PlanNode): Reading {
  const nodes = all(root);
  const scans = nodes.filter((node) => node['Relation Name'] !== undefined || node['Index Name'] !== undefined);
  const isWhole = (node: PlanNode) => /Seq Scan/.test(node['Node Type']) && rowsOf(node) > SMALL;
  const sorts = nodes.filter((node) => /Sort/.test(node['Node Type']));
  return {
    scanned: nodes.filter(isWhole).map((node) => node['Relation Name']!),
    read: Math.round(scans.reduce((sum, node) => sum + rowsOf(node), 0)),
    sorted: Math.round(Math.max(0, ...sorts.flatMap((node) => (node.Plans ?? []).map((below) => rowsOf(below))))),
    plan: nodes
      .map((node) => `${node['Node Type']} ${node['Index Name'] ?? node['Relation Name'] ?? ''} ${rowsOf(node)}`)
      .join('\n'),
  };
}

const EXPLAIN = 'explain (analyze, format json, timing off, buffers off)';

interface Explained {
  'QUERY PLAN': readonly { readonly Plan: PlanNode }[];
}

/**
 * Runs a statement as a reader of `workspace`, as it is planned for its values, and (unless `planned` says that it never is otherwise) as it is
 * planned for any.
 */
export async function readings(
  db: Database,
  workspace: string,
  text: string,
  params: readonly unknown[],
): Promise<Reading[]> {
  return db.tx(async (sql) => {
    await sql.query("select set_config('postledger.workspace', $1, true), set_config('role', $2, true)", [
      workspace,
      READER,
    ]);
    return bothWays(sql, text, params);
  });
}

/** The same as the user of the database, whose tables have other rows than those of a workspace too. */
export const ownReadings = (db: Database, text: string, params: readonly unknown[]): Promise<Reading[]> =>
  db.tx((sql) => bothWays(sql, text, params));

async function bothWays(sql: Sql, text: string, params: readonly unknown[]): Promise<Reading[]> {
  const readWith = async (statement: string, values: readonly unknown[]) => {
    const [row] = await sql.query<Explained>(`${EXPLAIN} ${statement}`, values);
    return readingOf(row!['QUERY PLAN'][0]!.Plan);
  };
  const own = await readWith(text, params);
  if (text.startsWith('/* planned')) return [own];
  await sql.script(`set local plan_cache_mode = force_generic_plan; prepare listed as ${text}`);
  try {
    const values = params.length > 0 ? `(${params.map(literal).join(', ')})` : '';
    return [own, await readWith(`execute listed${values}`, [])];
  } finally {
    await sql.script('deallocate listed');
  }
}

const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`;

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return quoted(`{${value.map((one) => JSON.stringify(one)).join(',')}}`);
  return typeof value === 'number' ? String(value) : quoted(String(value));
}
