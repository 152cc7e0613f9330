import { bootApi } from './boot-api';

it('goes on when the server has ended its transaction, as it does where a process stood still in one', async () => {
  const api = await bootApi({ views: true });
  try {
    jest.spyOn(api.running.engines.db, 'tx').mockRejectedValueOnce(new Error('Connection terminated unexpectedly'));
    await api.send('POST', '/campaigns', { id: 'cmp_1', name: 'n', profileId: 'p' });
    expect((await api.send('GET', '/campaigns')).at('data', 0, 'id')).toBe('cmp_1');
    expect((await api.send('GET', '/audit-log?entityId=cmp_1')).at('data', 0, 'action')).toBe('CampaignCreated');
  } finally {
    await api.close();
  }
});
