import { PAGE_SIZE } from '#kernel';

/** The size of a `json` column of `r` as what it takes on disk tells it: how well it was compressed could only be told by reading it. */
export const storedSize = (column: string): string =>
  `pg_column_size(r.${column}) * case when pg_column_compression(r.${column}) is null then 1 else 16 end`;

/**
 * SQL of the first of some rows `r`, in the order in which they come: none behind those whose `size` is `most` together, which may be a
 * parameter. `is_cut` says of the last of them that the page ends there for its size.
 */
export const cutToSize = (rows: string, size: string, most = String(PAGE_SIZE)): string =>
  `(select r.*, r.passed >= ${most} as is_cut from (
    select r.*, sum(r.size) over (rows unbounded preceding) as passed from (select r.*, ${size} as size from (${rows}) r) r
  ) r where (r.passed - r.size < ${most}) is not false)`;

/** Whether there may be more behind a page that was asked for with a `limit`. */
export const isFull = (rows: readonly { readonly is_cut: boolean }[], limit: number): boolean =>
  rows.length === limit || rows.at(-1)?.is_cut === true;
