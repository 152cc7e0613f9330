import { EventStoreUnavailableError } from '#event-store';
import { bootApi, type BootedApi } from '../testing/boot-api';

describe('somebody who is erased, over HTTP', () => {
  let api: BootedApi;
  beforeAll(async () => (api = await bootApi({ views: true })));
  afterAll(() => api.close());

  const must = async (status: number, method: string, path: string, body?: object, actor?: string) => {
    const answer = await api.send(method, path, body, { 'x-actor': actor });
    expect([path, answer.status]).toEqual([path, status]);
    return answer;
  };
  const erase = (id: string) => must(200, 'POST', `/subjects/${id}/erase`);
  const invite = (name: string) =>
    must(201, 'POST', '/team/invitations', { id: `inv_${name}`, email: `${name}@example.com`, role: 'editor' });
  const join = (name: string) => must(200, 'POST', `/team/invitations/inv_${name}/accept`, { userId: `usr_${name}` });
  const email = async (name: string) => (await must(200, 'GET', `/team/invitations/inv_${name}`)).at('email');
  const logged = (id: string) => api.running.engines.store.read(`subject-${api.workspace}:${id}`);

  it('is also who was invited, before there was an id, and nobody else', async () => {
    for (const name of ['ada', 'bob', 'eve']) await invite(name);
    for (const name of ['ada', 'bob']) await join(name);
    expect((await erase('usr_ada')).body).toMatchObject({ id: 'usr_ada', erased: true, erasedAt: expect.any(String) });
    expect([await email('ada'), await email('bob'), await email('eve')]).toEqual([
      null,
      'bob@example.com',
      'eve@example.com',
    ]);
    // Also where it is known already that its key has gone.
    expect((await must(200, 'GET', '/team/invitations/inv_ada')).body).toMatchObject({ email: null, erased: true });
    expect((await must(200, 'GET', '/subjects/usr_bob')).body).toMatchObject({ erased: false, erasedAt: null });
  });

  it('is erased once, however often that is asked', async () => {
    const [first, again] = [await must(200, 'GET', '/subjects/usr_ada'), await erase('usr_ada')];
    expect(again.body).toMatchObject(first.body as object);
    expect(await logged('usr_ada')).toHaveLength(1);
  });

  it('is not said to be erased of what was erased before, under the id of the invitation', async () => {
    await invite('zoe');
    await erase('inv_zoe');
    await join('zoe');
    const erased = await erase('usr_zoe');
    expect(erased.at('erased')).toBe(true);
    expect(erased.headers).not.toHaveProperty('etag');
    expect([await logged('inv_zoe'), await logged('usr_zoe')].map(({ length }) => length)).toEqual([1, 0]);
  });

  it('is erased by the next try where the first got no further than the log', async () => {
    await invite('eli');
    await join('eli');
    const { keys } = api.running.engines;
    jest.spyOn(keys, 'destroy').mockRejectedValueOnce(new EventStoreUnavailableError('away'));
    await must(503, 'POST', '/subjects/usr_eli/erase');
    expect(await email('eli')).toBe('eli@example.com');
    await erase('usr_eli');
    expect(await email('eli')).toBeNull();
  });

  it('was erased when the last of it was', async () => {
    const account = { id: 'acct_1', platform: 'instagram', username: 'n', profileId: 'p' };
    await must(201, 'POST', '/accounts', account);
    const destinations = [{ accountId: 'acct_1', platform: 'instagram' }];
    await must(201, 'POST', '/posts', { profileId: 'p', content: { text: 'x' }, destinations }, 'usr_mia');
    const before = (await erase('usr_mia')).at('erasedAt');
    await invite('mia');
    await join('mia');
    expect((await must(200, 'GET', '/subjects/usr_mia')).body).toMatchObject({ erased: false, erasedAt: before });
    const after = (await erase('usr_mia')).at('erasedAt');
    expect(after > before).toBe(true);
  });
});
