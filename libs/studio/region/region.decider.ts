import { decider, type Command } from '#kernel';
import type { RegionEvent } from './region.events';

interface Performance {
  readonly period: string;
  readonly impressions: number;
  readonly engagements: number;
  readonly contentCount: number;
}

export type RegionCommand = Command<'UpdatePerformance', Performance & { readonly region: string }>;

/** Comes into being with its first figures; shows the newest. */
export type Region =
  { readonly status: 'absent' } | ({ readonly status: 'present'; readonly region: string } & Performance);

export const regionDecider = decider<RegionCommand, RegionEvent, Region>({
  initial: { status: 'absent' },
  decide: {
    UpdatePerformance: ({ region, period, impressions, engagements, contentCount }) => [
      { type: 'RegionPerformanceUpdated', data: { region, period, impressions, engagements, contentCount } },
    ],
  },
  evolve: {
    RegionPerformanceUpdated: (_, data) => ({ status: 'present', ...data }),
  },
});
