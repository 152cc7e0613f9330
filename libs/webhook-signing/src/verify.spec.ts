import * as fc from 'fast-check';
import {
  generateSecret,
  signPostEz,
  signStandard,
  verifyPostEz,
  verifyStandard,
  WebhookVerificationError,
  type VerifyInput,
} from '.';

const now = 1776866400;
const body = '{"type":"post.published","id":"evt_1","data":{"text":"é \u{1F680}"}}';

interface Scheme {
  readonly name: string;
  readonly kind: 'whsec' | 'pez';
  readonly verify: (input: VerifyInput) => { readonly timestamp: number; readonly body: string };
  readonly headers: (
    secrets: readonly string[],
    timestamp?: number,
    signed?: string | Uint8Array,
  ) => Record<string, string>;
  readonly signature: string;
}
const schemes: readonly Scheme[] = [
  {
    name: 'Standard Webhooks',
    kind: 'whsec',
    verify: verifyStandard,
    headers: (secrets, timestamp = now, signed = body) => ({
      'webhook-id': 'evt_1',
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signStandard({ secrets, id: 'evt_1', timestamp, body: signed }),
    }),
    signature: 'webhook-signature',
  },
  {
    name: 'Post-EZ',
    kind: 'pez',
    verify: verifyPostEz,
    headers: (secrets, timestamp = now, signed = body) => ({
      'x-postez-event': 'post.published',
      'x-postez-signature': signPostEz({ secrets, timestamp, body: signed }),
    }),
    signature: 'x-postez-signature',
  },
];

const code = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.code;
    throw error;
  }
  return 'VERIFIED';
};

describe.each(schemes)('verifying $name', ({ kind, verify, headers, signature }) => {
  const secret = generateSecret(kind);
  const other = generateSecret(kind);
  const check = (input: Partial<VerifyInput>) =>
    code(() => verify({ secret, headers: headers([secret]), body, now, ...input }));

  it('returns what was verified', () =>
    expect(verify({ secret, headers: headers([secret]), body, now })).toMatchObject({
      id: 'evt_1',
      timestamp: now,
      body,
    }));

  it('takes the body as text, as a Buffer and as bytes', () => {
    expect(check({ body })).toBe('VERIFIED');
    expect(check({ body: Buffer.from(body) })).toBe('VERIFIED');
    expect(check({ body: new TextEncoder().encode(body) })).toBe('VERIFIED');
  });

  it('takes headers of any case, among spaces, as lists and as a fetch Headers object', () => {
    const plain = headers([secret]);
    const each = (map: (name: string, value: string) => [string, string | string[]]) =>
      Object.fromEntries(Object.entries(plain).map(([name, value]) => map(name, value)));
    expect(check({ headers: each((name, value) => [name.toUpperCase(), value]) })).toBe('VERIFIED');
    expect(check({ headers: each((name, value) => [name, [value]]) })).toBe('VERIFIED');
    expect(check({ headers: each((name, value) => [name, ` ${value} `]) })).toBe('VERIFIED');
    expect(check({ headers: new Headers(plain) })).toBe('VERIFIED');
  });

  it('takes any of the secrets during a rotation, on either side', () => {
    expect(check({ headers: headers([other, secret]) })).toBe('VERIFIED');
    expect(check({ secret: undefined, secrets: [other, secret] })).toBe('VERIFIED');
    expect(check({ secret: other })).toBe('SIGNATURE_MISMATCH');
  });

  it('refuses a body that differs by one byte, wherever it is', () => {
    const bytes = Buffer.from(body);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= flip;
        return check({ body: changed }) === 'SIGNATURE_MISMATCH';
      }),
    );
    expect(check({ body: `${body} ` })).toBe('SIGNATURE_MISMATCH');
    expect(check({ body: '' })).toBe('SIGNATURE_MISMATCH');
  });

  it('verifies whatever was signed', () =>
    fc.assert(
      fc.property(
        fc.uint8Array(),
        (bytes) => check({ headers: headers([secret], now, bytes), body: bytes }) === 'VERIFIED',
      ),
    ));

  it.each([
    [300, 'VERIFIED'],
    [301, 'TIMESTAMP_TOO_OLD'],
    [-300, 'VERIFIED'],
    [-301, 'TIMESTAMP_TOO_NEW'],
  ])('gives a timestamp %i seconds ago: %s', (ago, result) =>
    expect(check({ headers: headers([secret], now - ago) })).toBe(result),
  );

  it('takes another tolerance, and now as a Date, in seconds or in milliseconds', () => {
    expect(check({ headers: headers([secret], now - 5), toleranceSeconds: 4 })).toBe('TIMESTAMP_TOO_OLD');
    expect(check({ now: new Date(now * 1000) })).toBe('VERIFIED');
    expect(check({ now: now * 1000 })).toBe('VERIFIED');
    expect(check({ now: (now + 400) * 1000 })).toBe('TIMESTAMP_TOO_OLD');
    expect(check({ now: undefined })).toBe('TIMESTAMP_TOO_OLD');
    // The last moment of its 300 s, and the first number that is one of milliseconds.
    expect(check({ headers: headers([secret], now - 300), now: now * 1000 + 999 })).toBe('VERIFIED');
    expect(check({ headers: headers([secret], 1e8), now: 1e11 })).toBe('VERIFIED');
  });

  it.each([
    { now: Number.NaN },
    { now: new Date('x') },
    { now: (() => now) as unknown as number },
    { toleranceSeconds: Number.NaN },
    { toleranceSeconds: '5m' as unknown as number },
  ])('lets nothing pass by a clock or a tolerance that is no number: %j', (input) =>
    expect(() => verify({ secret, headers: headers([secret]), body, now, ...input })).toThrow(TypeError),
  );

  it('refuses a header that is not there, empty, of another version alone, or with no more than the version', () => {
    const without = headers([secret]);
    delete without[signature];
    expect(check({ headers: without })).toBe('HEADER_MISSING');
    expect(check({ headers: { ...headers([secret]), [signature]: '' } })).toBe('SIGNATURE_EMPTY');
    for (const [text, other] of [
      [/v1/g, 'v9'],
      [/(v1[,=]).*/, '$1'],
    ] as const) {
      const changed = headers([secret]);
      changed[signature] = changed[signature]!.replace(text, other);
      expect(check({ headers: changed })).toBe('SIGNATURE_EMPTY');
    }
  });

  it('verifies one right signature beside wrong and unknown ones', () => {
    const both = headers([other, secret])[signature]!;
    const noisy =
      kind === 'whsec'
        ? `v2,abc v1, nonsense v1,AAAA ${both} v1a,x`
        : both.replace('t=', 'v2=ff,v1=,t=').concat(',v1=00,z').replaceAll(',', ' , ');
    expect(check({ headers: { ...headers([secret]), [signature]: noisy } })).toBe('VERIFIED');
  });

  it('takes a signature header that comes more than once', () => {
    const [right, wrong] = [headers([secret]), headers([other])].map((all) => all[signature]!);
    const several = [right!, wrong!.replace(/^t=\d+,/, '')];
    expect(check({ headers: { ...headers([secret]), [signature]: several } })).toBe('VERIFIED');
    expect(check({ secret: generateSecret(kind), headers: { ...headers([secret]), [signature]: several } })).toBe(
      'SIGNATURE_MISMATCH',
    );
  });

  it('refuses a shortened or lengthened signature', () => {
    const right = headers([secret])[signature]!;
    expect(check({ headers: { ...headers([secret]), [signature]: right.slice(0, -4) } })).toBe('SIGNATURE_MISMATCH');
    expect(check({ headers: { ...headers([secret]), [signature]: `${right}ab` } })).toBe('SIGNATURE_MISMATCH');
  });

  it('tells a parsed body and a wrong secret from a bad webhook', () => {
    expect(check({ body: JSON.parse(body) as string })).toBe('BODY_NOT_RAW');
    expect(check({ secret: '' })).toBe('SECRET_INVALID');
    expect(check({ secret: 'not a secret!' })).toBe('SECRET_INVALID');
    expect(check({ secret: `AAAA${secret}` })).toBe('SECRET_INVALID');
    expect(check({ secret: `${secret}!` })).toBe('SECRET_INVALID');
    expect(check({ secret: undefined })).toBe('SECRET_INVALID');
    expect(check({ secret: undefined, secrets: [] })).toBe('SECRET_INVALID');
    expect(check({ secret: generateSecret(kind === 'pez' ? 'whsec' : 'pez') })).toMatch(
      /SECRET_INVALID|SIGNATURE_MISMATCH/,
    );
  });

  it('is not signed by nobody', () => expect(code(() => headers([]))).toBe('SECRET_INVALID'));

  it('is not led astray by names that every object has', () => expect(check({ headers: {} })).toBe('HEADER_MISSING'));
});

describe('Standard Webhooks alone', () => {
  const secret = generateSecret('whsec');
  const right = schemes[0]!.headers([secret]);

  it.each(['', 'evt.1', '.'])('refuses the id %j', (id) =>
    expect(code(() => verifyStandard({ secret, headers: { ...right, 'webhook-id': id }, body, now }))).toBe(
      'ID_INVALID',
    ),
  );

  it.each(['', 'abc', '1776866400.5', '-1', ' 17 ', '1e9', '0x10', '17768664001776866400'])(
    'refuses the timestamp %j',
    (time) =>
      expect(
        code(() => verifyStandard({ secret, headers: { ...right, 'webhook-timestamp': time }, body, now })),
      ).toMatch(/TIMESTAMP_(INVALID|TOO_OLD)/),
  );

  it('signs the id too: another id is another message', () =>
    expect(code(() => verifyStandard({ secret, headers: { ...right, 'webhook-id': 'evt_2' }, body, now }))).toBe(
      'SIGNATURE_MISMATCH',
    ));

  it.each(['', 'evt.1'])('never signs the id %j, which it would refuse', (id) =>
    expect(() => signStandard({ secret, id, timestamp: now, body })).toThrow(RangeError),
  );
});

describe('Post-EZ alone', () => {
  const secret = generateSecret('pez');
  const signature = signPostEz({ secret, timestamp: now, body });
  const check = (headers: Record<string, string>, of = body) =>
    code(() => verifyPostEz({ secret, headers, body: of, now }));

  it('refuses a header with no time, or with two', () => {
    expect(check({ 'x-postez-signature': signature.slice(signature.indexOf('v1')) })).toBe('TIMESTAMP_INVALID');
    expect(check({ 'x-postez-signature': `t=1,${signature}` })).toBe('TIMESTAMP_INVALID');
  });

  it('takes another time for another message', () =>
    expect(check({ 'x-postez-signature': signature.replace(String(now), String(now + 1)) })).toBe(
      'SIGNATURE_MISMATCH',
    ));

  it('refuses an event header, which is not signed, that contradicts the body', () =>
    expect(check({ 'x-postez-signature': signature, 'x-postez-event': 'post.failed' })).toBe('EVENT_MISMATCH'));

  it('needs no event header', () => {
    const headers = new Headers({ 'x-postez-signature': signature });
    expect(code(() => verifyPostEz({ secret, headers, body, now }))).toBe('VERIFIED');
    expect(check({ 'x-postez-signature': signature })).toBe('VERIFIED');
  });

  it.each(['', 'evt.1', '.'])('refuses a body with the id %j', (id) => {
    const of = JSON.stringify({ type: 'post.published', id, data: {} });
    expect(check({ 'x-postez-signature': signPostEz({ secret, timestamp: now, body: of }) }, of)).toBe('ID_INVALID');
  });

  it.each(['hello', 'null', '7', '[]', '{"id":1,"type":null}'])('returns %s as it was signed, no envelope', (text) => {
    const headers = {
      'x-postez-signature': signPostEz({ secret, timestamp: now, body: text }),
      'x-postez-event': 'post.published',
    };
    expect(verifyPostEz({ secret, headers, body: text, now })).toEqual({
      id: null,
      type: null,
      timestamp: now,
      body: text,
    });
  });
});

it('makes secrets in the form of the contracts, each its own', () => {
  expect(generateSecret('pez')).toMatch(/^pez_[A-Za-z0-9_-]{43}$/);
  expect(generateSecret('whsec')).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(generateSecret('pez')).not.toBe(generateSecret('pez'));
  expect(generateSecret('whsec', new Uint8Array(32))).toBe(generateSecret('whsec', new Uint8Array(32)));
});
