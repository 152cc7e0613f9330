import { isSlow, play, type DueDestination, type NetworkAccount } from './networks';

const account = (username: string, status: 'connected' | 'disconnected' = 'connected'): NetworkAccount => ({
  status,
  username,
});
const due = (more: Partial<DueDestination> = {}): DueDestination => ({
  postId: 'pst_1',
  destinationId: 'dst_1',
  accountId: 'acct_1',
  platform: 'mastodon',
  attempt: 1,
  ...more,
});

describe('the simulated networks', () => {
  it('publish with an id and a page that are the same for every attempt and differ by destination', () => {
    const once = play(account('ann'), due());
    expect(once).toEqual({
      ok: true,
      platformPostId: expect.stringMatching(/^\d{19}$/),
      url: expect.stringMatching(/^https:\/\/mastodon\.social\/@ann\/\d{19}$/),
    });
    expect(play(account('ann'), due({ attempt: 2 }))).toEqual(once);
    expect(play(account('ann'), due({ destinationId: 'dst_2' }))).not.toEqual(once);
    for (let n = 0; n < 100; n++)
      expect(play(account('ann'), due({ destinationId: `dst_${n}` }))).toMatchObject({
        platformPostId: expect.stringMatching(/^\d{19}$/),
      });
  });

  it('refuse an account that ends with .fails for good', () => {
    expect(play(account('ann.fails'), due())).toEqual({
      ok: false,
      errorCode: 'token_expired',
      error: 'Token expired',
      retryable: false,
    });
  });

  it('fail retryably once for an account that ends with .flaky, then publish', () => {
    expect(play(account('ann.flaky'), due())).toMatchObject({ ok: false, retryable: true });
    expect(play(account('ann.flaky'), due({ attempt: 2 }))).toMatchObject({ ok: true });
  });

  it('are slow only for an account that ends with .slow', () => {
    expect(isSlow(account('ann.slow'))).toBe(true);
    expect(isSlow(account('ann.slower'))).toBe(false);
    expect(play(account('ann.slow'), due())).toMatchObject({ ok: true });
  });

  it('refuse an account that is disconnected or unknown', () => {
    expect(play(account('ann', 'disconnected'), due())).toMatchObject({ ok: false, errorCode: 'account_disconnected' });
    expect(play({ status: 'absent' }, due())).toMatchObject({ ok: false, errorCode: 'account_unknown' });
  });

  it('make a valid page for a platform and a username they have never heard of', () => {
    for (const platform of ['to_string', 'constructor']) {
      const outcome = play(account('a/b?c#d e'), due({ platform }));
      expect(outcome.ok && new URL(outcome.url).hostname).toBe(`${platform.replace('_', '-')}.example`);
    }
    const quoted = play(account('a/b?c#d e'), due());
    expect(quoted.ok && new URL(quoted.url).hash).toBe('');
  });
});
