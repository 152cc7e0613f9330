import { regionAggregate, type Region } from '#studio';
import { isThere, viewOf, type KeyedView } from '../keyed/keyed-view';

export type ExistingRegion = Exclude<Region, { status: 'absent' }>;

/** A region's newest figures, as `GET /regions/:region` answers. */
export interface RegionView {
  readonly region: string;
  readonly period: string;
  readonly impressions: number;
  readonly engagements: number;
  readonly contentCount: number;
}

export const presentRegion = ({
  region,
  period,
  impressions,
  engagements,
  contentCount,
}: ExistingRegion): RegionView => ({
  region,
  period,
  impressions,
  engagements,
  contentCount,
});

export const regionsView: KeyedView<ExistingRegion, RegionView> = viewOf(regionAggregate, isThere, {
  name: 'regions',
  shape: 1,
  columns: {},
  filters: {},
  present: presentRegion,
});
