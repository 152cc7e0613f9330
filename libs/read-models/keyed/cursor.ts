import { DomainError } from '#kernel';
import { isFull } from '#postgres';

/** One page of a list, newest first. */
export interface Page<T> {
  readonly data: readonly T[];
  /** Opaque; null on the last page. */
  readonly nextCursor: string | null;
}

export interface PageOptions {
  /** 1 to 200. */
  readonly limit: number;
  readonly cursor?: string | undefined;
}

const FORM = /^p([0-9]{1,16})$/;

/** The place after which the next page begins. */
export const cursorAt = (position: number): string => Buffer.from(`p${position}`).toString('base64url');

/** The position in a cursor of ours. Throws a DomainError VALIDATION_FAILED (invalid) on anything else. */
export function positionOf(cursor: string): number {
  const found = FORM.exec(Buffer.from(cursor, 'base64url').toString());
  const position = Number(found?.[1]);
  if (!found || cursorAt(position) !== cursor) throw foreignCursor();
  return position;
}

/** What a cursor is refused with that is none of ours. */
export function foreignCursor(): DomainError {
  const message = 'The cursor is not one that a list has given.';
  return new DomainError('VALIDATION_FAILED', 'invalid', 'The request is not valid.', message, {
    errors: [{ pointer: '/cursor', message }],
  });
}

/** Cuts a page out of `limit + 1` rows, or of those that were as many as may be for their size. */
export function pageOf<Row extends { readonly is_cut: boolean }, T>(
  rows: readonly Row[],
  limit: number,
  at: (row: Row) => number,
  show: (row: Row) => T,
): Page<T> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { data: page.map(show), nextCursor: isFull(rows, limit + 1) && last ? cursorAt(at(last)) : null };
}
