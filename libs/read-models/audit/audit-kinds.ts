import type { Reads } from '#postgres';
import type { AuditFilters } from './audit-filters';

/** What happened, to what sort of thing. A workspace has a few dozen of these, however long its audit log is. */
export interface Kind {
  readonly entity_type: string;
  readonly action: string;
}

/** Whether the filters are of the sort that many entries have in common: then the kinds they leave are walked side by side, each in an index of its own order. */
export const isByKind = ({ actor, action, entityType, entityId, correlationId }: AuditFilters): boolean =>
  entityId === undefined &&
  correlationId === undefined &&
  (actor !== undefined || action !== undefined || entityType !== undefined);

/** The kinds that the filters leave, and the newest position of that moment: what came later may be of another kind. */
export async function kindsOf(
  sql: Reads,
  workspace: string,
  { actor, action, entityType }: AuditFilters,
): Promise<{ kinds: readonly Kind[]; head: number }> {
  const params = [workspace, action ?? null, entityType ?? null];
  const rows = await sql.query<Kind & { head: number }>(
    actor === undefined ? KINDS : KINDS_OF_ACTOR,
    actor === undefined ? params : [...params, actor],
  );
  return { kinds: rows, head: rows[0]?.head ?? 0 };
}

const NO_KIND: Kind = { entity_type: '', action: '' };

/** As many as a power of two, so that there are few statements to prepare; those added match nothing. */
export function ofKinds(kinds: readonly Kind[]): readonly Kind[] {
  const size = 2 ** Math.ceil(Math.log2(kinds.length));
  return [...kinds, ...Array.from({ length: size - kinds.length }, () => NO_KIND)];
}

/** From each kind to the next along the index: a probe a kind. */
const loosely = (where: string): string => `with recursive kind as (
    (select entity_type, action from read.audit where ${where} order by entity_type, action limit 1)
    union all
    select next.entity_type, next.action from kind cross join lateral (
      select entity_type, action from read.audit where ${where} and (entity_type, action) > (kind.entity_type, kind.action)
      order by entity_type, action limit 1
    ) next
  )
  select entity_type, action, (select max(position) from read.audit where workspace = $1) as head from kind
   where ($2::text is null or action = $2) and ($3::text is null or entity_type = $3)`;

const KINDS = loosely('workspace = $1');
const KINDS_OF_ACTOR = loosely('workspace = $1 and actor = $4');
