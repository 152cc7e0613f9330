import type { EndpointConfig } from '#webhooks';
import type { EndpointChange } from './endpoint-change';
import { askedSince, countsUpTo } from './what-follows';

const change = (position: number, changed: Partial<EndpointConfig> & { kind?: EndpointChange['kind'] } = {}) => {
  const { kind = 'updated', ...config } = changed;
  return { kind, position, config: { status: 'enabled', eventTypes: ['a.*'], ...config } } as EndpointChange;
};
const REST = Number.MAX_SAFE_INTEGER;

describe('what follows a change of an endpoint', () => {
  it('ends what it says of types and status, and what leaves both as they are does not', () => {
    expect(countsUpTo(change(3), [])).toBe(REST);
    expect(countsUpTo(change(3), [change(5), change(6, { targetUrl: 'https://b.example' })])).toBe(REST);
    for (const other of [{ eventTypes: ['b.*'] }, { status: 'disabled' }, { kind: 'deleted' }] as const)
      expect(countsUpTo(change(3), [change(5), change(8, { ...other, eventTypes: ['b.*'] }), change(9)])).toBe(8);
  });

  it('divides what was asked for since an enabling by its types, up to where it was closed again', () => {
    const closed = [change(8, { status: 'disabled' }), change(8, { kind: 'deleted' })];
    const stretch = (after: number, upTo: number, ...eventTypes: string[]) => ({ after, upTo, eventTypes });
    expect(askedSince(change(3), [])).toEqual([stretch(3, REST, 'a.*')]);
    expect(askedSince(change(3), [change(5, { eventTypes: ['b.*'] })])).toEqual([
      stretch(3, 5, 'a.*'),
      stretch(5, REST, 'b.*'),
    ]);
    for (const closing of closed) {
      expect(askedSince(change(3), [closing, change(9)])).toEqual([stretch(3, 8, 'a.*')]);
      expect(askedSince(change(3), [change(5, { eventTypes: ['b.*'] }), closing, change(9)])).toEqual([
        stretch(3, 5, 'a.*'),
        stretch(5, 8, 'b.*'),
      ]);
    }
  });
});
