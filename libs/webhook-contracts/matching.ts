import type { Contract } from './contract';

/** Whether an endpoint that asked for `eventTypes` (exact names, `*` suffixes, `*`) gets `type`. */
export function matches(eventTypes: readonly string[], type: string): boolean {
  for (const wanted of eventTypes) if (covers(wanted, type)) return true;
  return false;
}

const covers = (wanted: string, type: string): boolean =>
  wanted === type || (wanted.endsWith('*') && type.startsWith(wanted.slice(0, -1)));

/** What of `eventTypes` the contract has no type for: the reason for a 422 at registration. */
export const unknownTypes = (contract: Contract, eventTypes: readonly string[]): string[] =>
  eventTypes.filter((wanted) => !contract.types.some((type) => covers(wanted, type)));
