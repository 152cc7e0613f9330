import type { Bus } from '#messaging';
import { until } from './wait-for';

/**
 * A bus for apps that start: an engine that let them in and went away before they had made their topics and joined their groups is waited
 * for like one that is not there yet.
 */
export const patientBus = (bus: Bus, say: (sentence: string) => void): Bus => ({
  publish: (messages) => bus.publish(messages),
  check: () => bus.check(),
  close: () => bus.close(),
  ensureTopics: (topics) => until('the bus', () => bus.ensureTopics(topics), say),
  subscribe: (options) => until('the bus', () => bus.subscribe(options), say),
});
