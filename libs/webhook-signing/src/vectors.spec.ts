import { signPostEz, signStandard, verifyPostEz, verifyStandard } from '.';

// CONTRACTS §5; the first is the one that the Standard Webhooks libraries share.
const standard = [
  {
    name: 'the shared vector',
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1614265330,
    body: '{"test": 2432232314}',
    signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  },
  {
    name: 'exact bytes',
    secret: 'whsec_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=',
    id: 'msg_rawbytes_reserialized',
    timestamp: 1767225600,
    body: '{"type":"test.hello","data":{"key":"value"}}',
    signature: 'v1,9yIHNZqCjfmYCUeRbA8ewvA8j4r92Pj7bBasAkvdRSY=',
  },
];

describe.each(standard)('Standard Webhooks, $name', ({ secret, id, timestamp, body, signature }) => {
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature };

  it('is what we sign', () => expect(signStandard({ secret, id, timestamp, body })).toBe(signature));

  it('is what we verify', () =>
    expect(verifyStandard({ secret, headers, body, now: timestamp })).toEqual({ id, timestamp, body }));

  it('fails for the same JSON with other spaces', () => {
    const spaced = JSON.stringify(JSON.parse(body), null, 1);
    expect(() => verifyStandard({ secret, headers, body: spaced, now: timestamp })).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_MISMATCH' }),
    );
  });
});

describe('Post-EZ v1', () => {
  const secret = 'pez_3kP0sT1edger_vector_secret_0123456789abcdef';
  const timestamp = 1716399601;
  const body =
    '{"id":"evt_01","type":"post.published","occurred_at":"2026-05-22T18:00:01.000Z","data":{"post_id":"pst_1"}}';
  const signature = 't=1716399601,v1=ad7233f9d1bccfb926cb150716fc740f7f962e394543ce52c89fd53e873efc30';

  it('is what we sign', () => expect(signPostEz({ secret, timestamp, body })).toBe(signature));

  it('is what we verify', () =>
    expect(verifyPostEz({ secret, headers: { 'X-Postez-Signature': signature }, body, now: timestamp })).toEqual({
      id: 'evt_01',
      type: 'post.published',
      timestamp,
      body,
    }));
});
