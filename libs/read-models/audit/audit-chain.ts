import type { RecordedEvent } from '#event-store';
import { subjectIn } from '#personal-data';
import { linkedEntry, type LinkedEntry } from './audit-entry';

/** The newest link of a workspace's chain. */
export interface ChainHead {
  entries: number;
  position: number;
  hash: string | null;
  /** The newest time in the chain, epoch ms, and how far an entry has ever been behind the newest before it. */
  latest: number;
  lag: number;
}

/** The head of a chain that has no link yet. */
export const beginning = (): ChainHead => ({ entries: 0, position: 0, hash: null, latest: 0, lag: 0 });

/** A link of a chain: its entry, and what the audit log keeps beside it to find it by. */
export interface Link extends LinkedEntry {
  /** The newest time up to here, epoch ms. */
  readonly latest: number;
  /** Whose personal data it holds. */
  readonly subject: string | null;
}

/** Adds an event to a chain, whose head moves to it. */
export function link(head: ChainHead, event: RecordedEvent): Link {
  const { entry, data } = linkedEntry(event, head.hash);
  const at = Date.parse(entry.at);
  head.lag = Math.max(head.lag, head.latest - at);
  head.latest = Math.max(head.latest, at);
  head.entries++;
  head.position = event.position;
  head.hash = entry.hash;
  return { entry, data, latest: head.latest, subject: subjectIn(data) };
}
