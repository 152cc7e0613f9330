import { mkdirSync, appendFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { EventStoreDbDouble } from '#event-store/eventstoredb/double/eventstoredb-double';
import type { Standalone } from '../harness/standalone';
import { KafkaNode } from './kafka';

/** The engines beside PostgreSQL that a suite stands on, and the settings that choose them. */
export interface Ground {
  readonly env: Record<string, string>;
  readonly kafka: KafkaNode;
  readonly double?: EventStoreDbDouble;
  close(): Promise<void>;
}

export async function onKafka(): Promise<Ground> {
  const kafka = await KafkaNode.start();
  return { env: { BUS_URL: kafka.url }, kafka, close: () => kafka.remove() };
}

export async function onDoubleAndKafka(): Promise<Ground> {
  const [double, kafka] = await Promise.all([EventStoreDbDouble.start(), onKafka()]);
  return {
    ...kafka,
    double,
    env: { ...kafka.env, EVENT_STORE_URL: double.url },
    close: async () => void (await Promise.all([double.stop(), kafka.close()])),
  };
}

/** A real node, given by its address, and Kafka. */
export async function onNodeAndKafka(url: string): Promise<Ground> {
  const kafka = await onKafka();
  return { ...kafka, env: { ...kafka.env, EVENT_STORE_URL: url } };
}

const LINES = resolve(__dirname, '../../.cache/engine-versions.ndjson');

/** Writes down for the last lines of the run what a suite really stood on, as its health says it. */
export async function tellVersions(suite: string, standalone: Standalone): Promise<Record<string, Version>> {
  const { body } = await standalone
    .client()
    .get<{ parts: Record<'database' | 'eventStore' | 'bus', Version> }>('/health/ready');
  const { database, eventStore, bus } = body.parts;
  mkdirSync(resolve(LINES, '..'), { recursive: true });
  appendFileSync(LINES, `${JSON.stringify({ suite, database, eventStore, bus })}\n`);
  return { database, eventStore, bus };
}

export interface Version {
  readonly engine: string;
  readonly version: string;
}
