import type { Reads } from '#postgres';

/**
 * A position below which lies every entry of a workspace with a time before `time` (RFC 3339) plus `slackMs`; undefined when the audit log
 * has nothing newer yet. A few probes of an index.
 */
export async function positionBefore(
  reads: Reads,
  workspace: string,
  time: string,
  slackMs: number,
): Promise<number | undefined> {
  const [row] = await reads.query<{ position: number | null }>(
    "select projector.position_before($1, $2::timestamptz + $3 * interval '1 millisecond') as position",
    [workspace, time, slackMs],
  );
  return row?.position ?? undefined;
}
