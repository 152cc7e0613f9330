import type { Database } from '#postgres';

/** Beyond this, counting costs more than the number is worth. */
const COUNTED = 100_000;

const LAG = `with places as (select partition, position from bus.group_offset where group_name = $1),
  waiting as (
    select from bus.message m join places p on p.partition = m.partition
    where m.position > (select min(position) from places) and m.position > p.position and m.topic = any($2)
    limit ${COUNTED}
  )
  select (select count(*) from waiting) as counted, (select position from bus.head) - (select min(position) from places) as span`;

/** Messages of these topics that the group has yet to acknowledge; beyond 100,000 an upper bound. */
export async function countLag(db: Database, group: string, topics: readonly string[]): Promise<number> {
  const [row] = await db.query<{ counted: number; span: number | null }>(LAG, [group, topics]);
  const { counted, span } = row!;
  return counted < COUNTED ? counted : (span ?? counted);
}
