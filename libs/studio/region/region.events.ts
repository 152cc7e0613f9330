import type { EventSchemas, Message } from '#kernel';

export type RegionEvent = Message<
  'RegionPerformanceUpdated',
  {
    readonly region: string;
    readonly period: string;
    readonly impressions: number;
    readonly engagements: number;
    readonly contentCount: number;
  }
>;

export const regionEvents: EventSchemas<RegionEvent> = {
  RegionPerformanceUpdated: { version: 1 },
};
