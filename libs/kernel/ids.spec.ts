import { createHash } from 'node:crypto';
import { ascendingUuids, derivedId, derivedUuid, eventIdOf, followingUuid, newId, uuidIn, uuidv7 } from './ids';

const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('ids', () => {
  it('of version 7 hold the milliseconds, sort by them and never come twice', () => {
    const ids = Array.from({ length: 5_000 }, (_, ms) => uuidv7(1_776_866_400_000 + ms));
    expect(ids.filter((id) => !V7.test(id))).toEqual([]);
    expect(ids[0]!.slice(0, 13)).toBe('019db57d-9700');
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(Array.from({ length: 5_000 }, () => uuidv7(0))).size).toBe(5_000);
  });

  it('that ascend do so within a millisecond too, and follow a clock that was set back', () => {
    const next = ascendingUuids();
    const ids = Array.from({ length: 5_000 }, (_, n) => next(1_776_866_400_000 - (n % 3)));
    expect(ids.filter((id) => !V7.test(id))).toEqual([]);
    expect([...new Set(ids)].sort()).toEqual(ids);
    expect(ids[0]!.slice(0, 13)).toBe('019db57d-9700');
    expect(ids.at(-1)!.slice(0, 13)).toBe('019db57d-9701');
    expect(next(1_776_866_000_000).slice(0, 13)).toBe('019db577-7c80');
  });

  it('that are derived are the digest of scope and name, stamped with version 8 (RFC 9562)', () => {
    const digest = createHash('sha256').update('scope\n3').digest();
    digest[6] = (digest[6]! & 0x0f) | 0x80;
    digest[8] = (digest[8]! & 0x3f) | 0x80;
    expect(derivedUuid('scope', 3).replaceAll('-', '')).toBe(digest.toString('hex', 0, 16));
  });

  it('that are derived stay the same for ever, since they stand in logs', () => {
    expect(derivedUuid('0192f0c1-1111-7000-8000-000000000000', 0)).toBe('7058c013-d62c-85a3-a469-6b5218e8b66f');
    expect(derivedId('dst', '0192f0c1-1111-7000-8000-000000000000', 0, 1_776_866_400_000)).toBe(
      'dst_019db57d-9700-7bd1-99a0-d841bb4fae91',
    );
  });

  it('that follow from another have its time, and are the same again for the same name', () => {
    const parent = '0192f0c1-1111-7000-8000-000000000000';
    expect(followingUuid(parent, 0)).toBe('0192f0c1-1111-7058-8013-d62ca5a3a469');
    expect(followingUuid(parent, 0)).toMatch(V7);
    expect(eventIdOf(parent, 0)).toBe(followingUuid(parent, 0));
    expect(followingUuid(parent, 1)).not.toBe(followingUuid(parent, 0));
    expect(followingUuid(`evt_${parent}`, 0).slice(0, 15)).toBe('0192f0c1-1111-7');
    // As every derived id was once: what is in a log is the same for ever.
    const untimed = derivedUuid('scope', 3);
    expect(followingUuid(untimed, 0)).toBe(derivedUuid(untimed, 0));
  });

  it('give back their UUID, to one who names their prefix', () => {
    const id = newId('dlv');
    expect(uuidIn('dlv', id)).toBe(id.slice(4));
    expect(uuidIn('evt', id)).toBeUndefined();
    expect(uuidIn('dlv', id.toUpperCase())).toBeUndefined();
    expect(uuidIn('dlv', 'dlv_mine')).toBeUndefined();
    expect(uuidIn('dlv', `dlv_${'-'.repeat(36)}`)).toBeUndefined();
  });
});
