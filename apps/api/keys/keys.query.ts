import type { Workspaces } from '#postgres';
import { invalid } from '../http/problem';
import { parseTime } from '../http/time';

/** A key as a list shows it. */
export interface ListedKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly kind: string;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  readonly expiresAt: string | null;
}

/** The living keys of a workspace, newest first. */
export async function listKeys(
  db: Workspaces,
  workspace: string,
  limit: number,
  cursor?: string,
): Promise<{ data: ListedKey[]; nextCursor: string | null }> {
  const [at, id] = cursor === undefined ? [null, null] : placeOf(cursor);
  const rows = await db.inWorkspace(workspace).query<ListedKey>(
    `select id, name, scopes, kind, created_at as "createdAt", last_used_at as "lastUsedAt", expires_at as "expiresAt" from api.key
     where workspace = $1 and revoked_at is null and ($2::timestamptz is null or (created_at, id) < ($2, $3))
     order by created_at desc, id desc limit $4`,
    [workspace, at, id, limit + 1],
  );
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return {
    data,
    nextCursor: rows.length > limit && last ? cursorAt(last.createdAt, last.id) : null,
  };
}

const cursorAt = (at: string, id: string): string => Buffer.from(`${at} ${id}`).toString('base64url');

/** Of no other form than ours: PostgreSQL does not read every time that RFC 3339 allows. */
function placeOf(cursor: string): [string, string] {
  const [at = '', id = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  if (parseTime(at) !== at || !/^key_[\w-]+$/.test(id))
    throw invalid({ pointer: '/cursor', message: 'is not a cursor of this list' });
  return [at, id];
}
