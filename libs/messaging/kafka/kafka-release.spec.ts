import { metadataLevel, releaseOf } from './kafka-release';

const feature = (name: string, least: number, greatest: number): Buffer =>
  Buffer.concat([Buffer.of(name.length + 1), Buffer.from(name), Buffer.of(0, least, 0, greatest, 0)]);

/** An answer of version 3: no error, one api, no throttling, then these tags. */
const answer = (...tags: (readonly [tag: number, content: Buffer])[]): Buffer =>
  Buffer.concat([
    Buffer.of(0, 0, 2, 0, 18, 0, 0, 0, 4, 0, 0, 0, 0, 0, tags.length),
    ...tags.flatMap(([tag, content]) => [Buffer.of(tag, content.length), content]),
  ]);

describe('the release of a Kafka broker', () => {
  it('is read from the features it supports, wherever they stand among the tags', () => {
    const features = Buffer.concat([Buffer.of(3), feature('kraft.version', 0, 1), feature('metadata.version', 7, 27)]);
    expect(metadataLevel(answer([1, Buffer.alloc(8)], [0, features]))).toBe(27);
  });

  it('is not told by a broker without that feature, or by an answer that is an error', () => {
    expect(metadataLevel(answer())).toBeUndefined();
    expect(metadataLevel(answer([0, Buffer.concat([Buffer.of(2), feature('group.version', 0, 1)])]))).toBeUndefined();
    expect(metadataLevel(Buffer.of(0, 35, 1, 0, 0, 0, 0))).toBeUndefined();
  });

  it('is the one whose level it supports', () => {
    expect([3, 7, 9, 14, 19, 20, 21, 25, 26, 27, 28].map(releaseOf)).toEqual([
      undefined,
      ...['3.3', '3.5', '3.6', '3.7', '3.8', '3.9', '4.0', '4.1', '4.1', 'newer than 4.1'],
    ]);
  });
});
