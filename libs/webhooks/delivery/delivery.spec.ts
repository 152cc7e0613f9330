import { instant } from '#kernel';
import { scenariosOf } from '#testing';
import { deliveryDecider, type DeliveryCommand } from './delivery.decider';
import type { DeliveryEvent } from './delivery.events';

const { given } = scenariosOf(deliveryDecider);
const stamp = { at: instant('2026-04-22T12:00:00.000Z'), actor: 'system' };
const of = { endpointId: 'whe_1', deliveryId: 'dlv_1' };
const park = (attempts: number): DeliveryCommand => ({
  ...stamp,
  type: 'ParkDelivery',
  ...of,
  eventType: 'post.published',
  attempts,
});
const replay: DeliveryCommand = { ...stamp, type: 'RequestDeliveryReplay', ...of };
const discard: DeliveryCommand = { ...stamp, type: 'DiscardDelivery', ...of };
const parked = (attempts: number): DeliveryEvent => ({
  type: 'DeliveryParked',
  data: { ...of, eventType: 'post.published', attempts },
});
const replayed: DeliveryEvent = { type: 'DeliveryReplayRequested', data: of };
const discarded: DeliveryEvent = { type: 'DeliveryDiscarded', data: of };

describe('a delivery', () => {
  it('is parked once per ladder', () => {
    given().when(park(10)).then(parked(10));
    given(parked(10)).when(park(10)).then();
    given(parked(10), replayed).when(park(10)).then();
    given(parked(10), replayed).when(park(20)).then(parked(20));
    given(parked(10), parked(20)).when(park(10)).then();
  });
  it('is parked again after a replay of its whole endpoint', () => given(parked(10)).when(park(20)).then(parked(20)));
  it('is replayed as often as one asks', () => {
    given().when(replay).then(replayed);
    given(replayed).when(replay).then(replayed);
    given(discarded).when(replay).then(replayed);
  });
  it('is discarded as often as one asks, for a replay of its whole endpoint may have woken it', () => {
    given(parked(10)).when(discard).then(discarded);
    given(parked(10), discarded).when(discard).then(discarded);
  });
  it('may be parked again after it was discarded, by a replay of its whole endpoint', () => {
    given(parked(10), discarded).when(park(20)).then(parked(20));
    given(parked(10), discarded).when(park(10)).then();
  });
});
