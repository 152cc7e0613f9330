import { askVersions } from './kafka-hello';
import type { Connection } from './kafka-settings';

/**
 * The release that brought each level of the feature `metadata.version`, by the first one (MetadataVersion.java of Apache Kafka
 * 4.1). A broker announces the greatest it can, so it is of that release; patch releases bring none.
 */
const RELEASES: readonly (readonly [level: number, release: string])[] = [
  [28, 'newer than 4.1'],
  [26, '4.1'],
  [22, '4.0'],
  [21, '3.9'],
  [20, '3.8'],
  [15, '3.7'],
  [12, '3.6'],
  [9, '3.5'],
  [8, '3.4'],
  [4, '3.3'],
];
const SUPPORTED_FEATURES = 0;

/** The release that came with a `metadata.version`; undefined for one before the first we know. */
export const releaseOf = (level: number): string | undefined => RELEASES.find(([first]) => level >= first)?.[1];

/**
 * The release of a broker (`4.1`), as its answer to ApiVersions tells it: kafkajs asks for an older version of that, without
 * features. Undefined when no broker tells: before KRaft none did. All are asked at once: health does not wait for one that is gone.
 */
export async function askRelease({ brokers, ssl }: Connection): Promise<string | undefined> {
  const levels = brokers.map(async (broker) => {
    const level = metadataLevel(await askVersions(broker, ssl));
    if (level === undefined) throw new Error(`${broker} names no release`);
    return level;
  });
  const level = await Promise.any(levels).catch(() => undefined);
  return level === undefined ? undefined : releaseOf(level);
}

/** The greatest `metadata.version` that the broker supports (KIP-584), from the body of an ApiVersions answer of version 3. */
export function metadataLevel(body: Buffer): number | undefined {
  let at = 0;
  const int16 = (): number => body.readInt16BE((at += 2) - 2);
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = body.readUInt8(at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const skipTags = (): void => {
    for (let tags = varint(); tags > 0; tags--) {
      varint();
      const size = varint();
      at += size;
    }
  };
  if (int16() !== 0) return undefined;
  for (let apis = varint() - 1; apis > 0; apis--) {
    at += 6;
    skipTags();
  }
  at += 4;
  for (let tags = varint(); tags > 0; tags--) {
    const [tag, size] = [varint(), varint()];
    const end = at + size;
    for (let features = tag === SUPPORTED_FEATURES ? varint() - 1 : 0; features > 0; features--) {
      const length = varint() - 1;
      const name = body.toString('utf8', at, (at += length));
      const [, greatest] = [int16(), int16()];
      skipTags();
      if (name === 'metadata.version') return greatest;
    }
    at = end;
  }
  return undefined;
}
