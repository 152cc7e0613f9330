import { eventually } from '#testing';
import { settled, soon, upTo, type Results, type World } from './main-job.world';

/** What becomes of a post, from the command to what receivers hold. */
export function postStories(world: () => World): void {
  it('carries a post from its command over the network to receivers of two contracts, signed, in sequence', async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client);
    const postEz = await world().subscriber(client, { contract: 'post-ez' });
    const account = await client.account('ann');
    const scheduledAt = soon(700);
    const post = await client.schedule(account.id, { scheduledAt });
    expect(post).toMatchObject({ status: 'scheduled', scheduledAt, destinations: [{ status: 'pending' }] });

    await core.receives('account.connected', 'post.scheduled', 'post.destination_published', 'post.published');
    await postEz.receives('schedule.created', 'post.published');
    const ofThePost = core.inSequence().filter(({ data }) => data['postId'] === post.id);
    expect(ofThePost.map(({ type }) => type)).toEqual([
      'post.scheduled',
      'post.destination_published',
      'post.published',
    ]);
    expect(core.sequences().sort()).toEqual(upTo(4));
    expect(postEz.sequences().sort()).toEqual(upTo(2));
    expect(core.bodies().find(({ type }) => type === 'post.published')).toEqual({
      id: expect.stringMatching(/^evt_/),
      type: 'post.published',
      createdAt: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
      data: { postId: post.id, published: 1, failed: 0, total: 1 },
    });
    expect(postEz.bodies<{ type: string }>().find(({ type }) => type === 'post.published')).toMatchObject({
      occurred_at: expect.any(String),
      data: { post_id: post.id },
    });
    expect(postEz.requests().map(({ headers }) => headers['x-postez-event'])).toEqual(postEz.types());

    const { destinations } = await settled(client, post.id, 'published');
    expect(destinations).toEqual([
      expect.objectContaining({ status: 'published', attempts: 1, url: expect.stringMatching(/^https:/) }),
    ]);
    const published = core.bodies().find(({ type }) => type === 'post.destination_published')!;
    expect(published.data['url']).toBe(destinations[0]!.url);
    expect(Date.parse(published.createdAt)).toBeGreaterThanOrEqual(Date.parse(scheduledAt));
  });

  it('says what failed and what did not, and settles again under a new id when the failed destination is retried', async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client, { eventTypes: ['post.*'] });
    const [good, bad] = [await client.account('ann'), await client.account('bob.fails', 'linkedin')];
    const post = await client.schedule(good.id, {
      destinations: [
        { accountId: good.id, platform: 'instagram' },
        { accountId: bad.id, platform: 'linkedin' },
      ],
    });
    const round = ['post.destination_failed', 'post.partial'];
    await core.receives('post.scheduled', 'post.destination_published', ...round);
    const partial = core.bodies().find(({ type }) => type === 'post.partial')!;
    expect(partial.data).toMatchObject({
      postId: post.id,
      published: 1,
      failed: 1,
      total: 2,
      platformResults: {
        instagram: { ok: true, platformPostId: expect.any(String) },
        linkedin: { ok: false, error: 'Token expired' },
      },
    });
    const failed = (await settled(client, post.id, 'partial')).destinations.find(({ status }) => status === 'failed')!;
    expect(failed).toMatchObject({ error: 'Token expired', errorCode: 'token_expired', attempts: 1 });

    await client.must(200, 'POST', `/posts/${post.id}/retry`, { destinationIds: [failed.id] });
    await core.receives('post.scheduled', 'post.destination_published', ...round, ...round);
    const again = core.bodies().filter(({ type }) => type === 'post.partial');
    expect(new Set(again.map(({ id }) => id)).size).toBe(2);
    expect(again[1]!.data).toEqual(partial.data);
    expect(core.sequences().sort()).toEqual(upTo(6));
  });

  it("retries a destination by the core's own ladder before it says that it failed", async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client, { eventTypes: ['post.*'] });
    const flaky = await client.account('cleo.flaky');
    const post = await client.schedule(flaky.id);
    await core.receives('post.scheduled', 'post.destination_published', 'post.published');
    expect((await settled(client, post.id, 'published')).destinations).toMatchObject([{ attempts: 2 }]);
  });

  it('publishes a rescheduled post at its new time, and does nothing more about a cancelled one', async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client, { eventTypes: ['post.*'] });
    const { id: account } = await client.account('ann');
    const due = soon(3_000);
    const cancelled = await client.schedule(account, { scheduledAt: due });
    await client.must(200, 'POST', `/posts/${cancelled.id}/cancel`, { reason: 'Changed our mind' });
    const moved = await client.schedule(account, { scheduledAt: '2031-01-01T00:00:00Z' });
    // Later than the cancelled post would have been due, so that its time has surely passed when this one is out.
    const scheduledAt = new Date(Date.parse(due) + 100).toISOString();
    await client.must(200, 'POST', `/posts/${moved.id}/reschedule`, { scheduledAt });
    await settled(client, moved.id, 'published');
    await core.receives(
      ...['post.scheduled', 'post.cancelled'],
      ...['post.scheduled', 'post.rescheduled', 'post.destination_published', 'post.published'],
    );
    const about = (id: string) => core.bodies().filter(({ data }) => data['postId'] === id);
    expect(
      about(cancelled.id)
        .map(({ type }) => type)
        .sort(),
    ).toEqual(['post.cancelled', 'post.scheduled']);
    expect(about(cancelled.id).find(({ type }) => type === 'post.cancelled')!.data['reason']).toBe('Changed our mind');
    expect((await client.get<Results>(`/posts/${cancelled.id}/results`)).body.status).toBe('cancelled');
    expect((await client.post(`/posts/${cancelled.id}/reschedule`, { scheduledAt: soon(60_000) })).status).toBe(409);
    const out = about(moved.id).find(({ type }) => type === 'post.published')!;
    expect(Date.parse(out.createdAt)).toBeGreaterThanOrEqual(Date.parse(scheduledAt));
  });

  it('completes a closed campaign once, however many of its posts settle at the same moment', async () => {
    const { client } = await world().workspace();
    const core = await world().subscriber(client, { eventTypes: ['campaign.completed', 'post.scheduled'] });
    const [good, bad] = [await client.account('ann'), await client.account('bob.fails')];
    const campaign = await client.must<{ id: string }>(201, 'POST', '/campaigns', {
      name: 'Autumn',
      profileId: 'prof_test',
    });
    const scheduledAt = soon(1_500);
    const posts = await Promise.all(
      upTo(8).map((n) =>
        client.schedule(n % 4 === 0 ? bad.id : good.id, { scheduledAt, campaignId: campaign.id, id: `pst_story_${n}` }),
      ),
    );
    await client.must(200, 'POST', `/campaigns/${campaign.id}/close`);
    const late = await client.post('/posts', {
      profileId: 'prof_test',
      content: { text: 'Late' },
      destinations: [{ accountId: good.id, platform: 'instagram' }],
      campaignId: campaign.id,
    });
    expect([late.status, late.body]).toEqual([409, expect.objectContaining({ code: 'CAMPAIGN_CLOSED' })]);
    await core.receives('campaign.completed', ...posts.map(() => 'post.scheduled'));
    expect(core.bodies().find(({ type }) => type === 'campaign.completed')!.data).toEqual({
      campaignId: campaign.id,
      totalPosts: 8,
      successCount: 6,
      failedCount: 2,
    });
    expect((await client.post(`/campaigns/${campaign.id}/close`)).status).toBe(200);
    // A settled post that settles once more brings no second completion: what comes after it shows that none was sent.
    const failed = posts[3]!;
    await client.must(200, 'POST', `/posts/${failed.id}/retry`);
    await settled(client, failed.id, 'failed');
    await client.schedule(good.id);
    await eventually(() => expect(core.types().filter((type) => type === 'post.scheduled')).toHaveLength(9));
    expect(core.types().filter((type) => type === 'campaign.completed')).toHaveLength(1);
  });
}
