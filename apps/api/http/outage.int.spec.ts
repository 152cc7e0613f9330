import { bootApi, type BootedApi } from '../testing/boot-api';

describe('an engine that answers and does not do what it is asked', () => {
  let api: BootedApi;
  beforeAll(async () => (api = await bootApi()));
  afterAll(() => api.close());

  it('is told in health and once in the log, whatever is asked of it meanwhile', async () => {
    const { db, log } = api.running.engines;
    await db.script(`create function log.no_space() returns trigger language plpgsql as $$
        begin raise 'could not extend file: No space left on device' using errcode = '53100'; end $$;
      create trigger no_space before insert on log.event execute function log.no_space()`);
    const warn = jest.spyOn(log, 'warn').mockReturnValue();
    const account = { platform: 'instagram', username: 'n', profileId: 'prof_1' };
    for (let times = 0; times < 3; times++)
      expect(await api.send('POST', '/accounts', account)).toMatchObject({ status: 503 });
    const message = expect.stringContaining('No space left on device');
    expect(warn.mock.calls).toEqual([[{ err: message }, 'requests are answered 503']]);
    expect(await api.send('GET', '//health/ready')).toMatchObject({
      status: 200,
      body: { parts: { eventStore: { ok: true, lastError: { message } } } },
    });
  });
});
