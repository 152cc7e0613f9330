import { expectedRevisions, idempotencyKeyOf, NO_REVISION, traceOf, waitOf } from './headers';

const refusal = (pointer: string) =>
  expect.objectContaining({ status: 400, extra: { errors: [expect.objectContaining({ pointer })] } });

describe('how long a read may wait', () => {
  it.each([
    ['wait=0', 0],
    ['wait=12', 12_000],
    ['Wait = "5"', 5_000],
    ['respond-async, wait=3', 3_000],
    ['handling=lenient; wait=4', 4_000],
    ['wait=31', 30_000],
    ['wait=999999', 30_000],
  ])('%s is %i ms', (prefer, ms) => expect(waitOf({ prefer })).toBe(ms));

  it.each(['', 'respond-async', 'wait', 'wait=', 'wait=-1', 'nowait=5', 'x-wait=5'])('%p does not say', (prefer) =>
    expect(waitOf({ prefer })).toBeUndefined(),
  );
});

describe('an Idempotency-Key', () => {
  it.each([
    ['bare', 'k 1', 'k 1'],
    ['quoted, as the draft of the IETF has it', '"k 1"', 'k 1'],
    ['the longest', 'x'.repeat(255), 'x'.repeat(255)],
    ['the longest, quoted', `"${'x'.repeat(255)}"`, 'x'.repeat(255)],
  ])('is read: %s', (_, given, key) => expect(idempotencyKeyOf({ 'idempotency-key': given })).toBe(key));

  it.each(['', '""', 'x'.repeat(256), 'k\u00e9y', 'a\tb'])('is none: %p', (given) =>
    expect(() => idempotencyKeyOf({ 'idempotency-key': given })).toThrow(refusal('/Idempotency-Key')),
  );
});

describe('a correlation id', () => {
  it('is the one that is given, whatever the trace', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    expect(traceOf({ 'x-correlation-id': 'order-7', traceparent })).toEqual({ correlationId: 'order-7', traceparent });
  });

  it.each(['', 'a b', 'ä', 'x'.repeat(201)])('is none: %p', (given) =>
    expect(() => traceOf({ 'x-correlation-id': given })).toThrow(refusal('/X-Correlation-Id')),
  );
});

describe('the revisions that If-Match allows', () => {
  it.each([
    ['*', undefined],
    ['3', [3]],
    ['"0"', [0]],
    ['W/"3"', [3]],
    [' "1" , "2",', [1, 2]],
    ['"x", "03", "3"', [NO_REVISION, NO_REVISION, 3]],
    ['""', [NO_REVISION]],
  ])('%p', (given, revisions) => expect(expectedRevisions({ 'if-match': given })).toEqual(revisions));

  it.each(['', 'x', '3, 4', '"3" x', '"3', '-1'])('are none: %p', (given) =>
    expect(() => expectedRevisions({ 'if-match': given })).toThrow(refusal('/If-Match')),
  );
});
