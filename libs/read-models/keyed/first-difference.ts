import type { Sql } from '#postgres';

/** Where two tables that should be equal are not. */
export interface Difference {
  readonly workspace: string;
  /** The thing's id, or the entry's position. */
  readonly key: string;
  /** Of the newest event in the row. */
  readonly position: number;
  readonly reason: 'changed' | 'missing' | 'inserted';
}

/** Compares row by row, every column; the first difference by position. */
export async function firstDifference(
  sql: Sql,
  { expected, actual, key }: { expected: string; actual: string; key: readonly [string, string] },
): Promise<Difference | undefined> {
  const [row] = await sql.query<Difference>(
    `select ${key[0]} as workspace, ${key[1]}::text as key, coalesce(e.position, a.position) as position,
        case when a.position is null then 'missing' when e.position is null then 'inserted' else 'changed' end as reason
      from ${expected} e full join ${actual} a using (${key.join(', ')})
      where row(e.*) is distinct from row(a.*) order by 3 limit 1`,
  );
  return row;
}
