import type { Sql } from './database';

/**
 * A change of rows that travels as a part of one statement. `$1` … are its own parameters. It takes its rows `from fence`, which has
 * one row, or none when nothing may be changed.
 */
export interface Write {
  readonly text: string;
  readonly params: readonly unknown[];
  /** It is a query of one row with a column `answer`, a text. */
  readonly answers?: true;
}

/** Lets every change pass. */
export const OPEN: Write = { text: 'select 1', params: [] };

/**
 * Changes rows behind a fence, all in one statement and so in one transaction: a round trip instead of one for each of begin, fence, rows and
 * commit. Resolves with the answers of those writes that have one, or with undefined when the fence was closed and nothing was changed.
 * The writes see neither each other's rows nor in which order they run.
 */
export async function writeFenced(sql: Sql, fence: Write, writes: readonly Write[]): Promise<string[] | undefined> {
  const params: unknown[] = [];
  const parts = [fence, ...writes].map(({ text, params: own }, nth) => {
    const before = params.length;
    params.push(...own);
    const numbered = text.replace(/\$(\d+)/g, (_, number: string) => `$${before + Number(number)}`);
    return `${nth === 0 ? 'fence' : `write_${nth}`} as (${numbered})`;
  });
  const answers = writes.flatMap(({ answers }, nth) => (answers ? [`(select answer from write_${nth + 1})`] : []));
  const [row] = await sql.query<{ open: boolean; answers: string[] }>(
    `with ${parts.join(', ')} select exists (select from fence) as open, array[${answers.join(', ')}]::text[] as answers`,
    params,
  );
  return row!.open ? row!.answers : undefined;
}
