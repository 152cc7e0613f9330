import { existsSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';
import { KEY, Standalone } from '../harness/standalone';
import type { Client } from '../harness/client';

const CHROMIUM = '/usr/bin/chromium';

(existsSync(CHROMIUM) ? describe : describe.skip)('the dashboard, with odd addresses and much to show', () => {
  let standalone: Standalone;
  let client: Client;
  let browser: Browser;
  let page: Page;
  let trouble: string[];

  beforeAll(async () => {
    [standalone, browser] = await Promise.all([
      Standalone.start(),
      chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'], timeout: 90_000 }),
    ]);
    client = standalone.client();
  });
  afterAll(async () => {
    await browser?.close();
    await standalone?.remove();
  });
  beforeEach(async () => {
    trouble = [];
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
    context.setDefaultTimeout(60_000);
    page = await context.newPage();
    page.on('pageerror', (error) => trouble.push(error.message));
    page.on('dialog', (question) => question.accept());
  });
  afterEach(() => page.context().close());

  const open = async (view: string, key = KEY): Promise<void> => {
    await page.goto(`${standalone.url}/#key=${key}`);
    await page.getByRole('navigation').waitFor();
    await page.goto(`${standalone.url}/#/${view}`);
    await page.locator('h1').waitFor();
  };

  it('shows a view for every address', async () => {
    await open('toString');
    await page.getByRole('heading', { name: 'Live' }).waitFor();
    await page.goto(`${standalone.url}/#/posts/%zz`);
    await page.getByText('POST_NOT_FOUND').waitFor();
    await page.evaluate('sessionStorage.clear()');
    await page.goto(`${standalone.url}/?again#key=a%zz`);
    await page.getByText('The key was refused.').waitFor();
    expect(trouble).toEqual([]);
  });

  it('says so when its key is deleted, also while only the stream is read', async () => {
    const { body } = await client.post<{ id: string; key: string }>('/api-keys', { name: 'short', scopes: ['read'] });
    await open('live', body.key);
    await page.getByText('live', { exact: true }).waitFor();
    await client.must(204, 'DELETE', `/api-keys/${body.id}`);
    await page.getByText('The key was refused.').waitFor();
  });

  it('takes no key that no header can hold for a lost connection', async () => {
    await page.goto(standalone.url);
    await page.getByLabel('API key', { exact: true }).last().fill('ключ');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('alert').filter({ hasText: 'No valid API key was given.' }).waitFor();
    await page.goto(`${standalone.url}/?again#key=%D0%BA`);
    await page.getByText('The key was refused.').waitFor();
  });

  it('shows nothing of the key before, and says which scope the stream needs', async () => {
    const { body: other } = await client.post<{ apiKey: string }>('/workspaces', { name: 'other' });
    const { body } = await client.post<{ key: string }>('/api-keys', { name: 'audit', scopes: ['audit'] });
    await open('live');
    await page.getByText('live', { exact: true }).waitFor();
    const mine = page.locator('.stream li').filter({ hasText: 'account.connected' });
    await client.must(201, 'POST', '/accounts', { platform: 'mastodon', username: 'mine', profileId: 'prof_1' });
    await mine.waitFor();
    await page.evaluate(`location.hash = "#key=${other.apiKey}"`);
    await page.getByText('Nothing has happened since').waitFor();
    expect(await mine.count()).toBe(0);
    await page.evaluate(`location.hash = "#key=${body.key}"`);
    await page.getByRole('alert').filter({ hasText: 'SCOPE_MISSING' }).waitFor();
    expect(await page.getByText('Nothing has happened since').isVisible()).toBe(false);
  });

  it('reads a list again when the stream begins after it, and says where a part of the stream is missing', async () => {
    await client.must(201, 'POST', '/accounts', {
      id: 'acct_gap',
      platform: 'mastodon',
      username: 'gap',
      profileId: 'prof_1',
    });
    await client.schedule('acct_gap', {
      id: 'pst_gap',
      destinations: [{ accountId: 'acct_gap', platform: 'mastodon' }],
      scheduledAt: '2100-01-01T00:00:00Z',
    });
    const unknown = `id: evt_00000000-0000-7000-8000-000000000000\nevent: team.role_changed\ndata: {}\n\n`;
    let goOn = () => {};
    await page.route(
      '**/api/v1/stream',
      (route) => new Promise((done) => (goOn = () => done(route.fulfill({ body: unknown })))),
      { times: 1 },
    );
    await open('posts');
    const row = page.locator('tbody tr').filter({ hasText: 'pst_gap' });
    await row.getByText('scheduled', { exact: true }).waitFor();
    await client.must(200, 'POST', '/posts/pst_gap/cancel', {});
    goOn();
    await row.getByText('cancelled', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'Live', exact: true }).click();
    await page.locator('.stream li').filter({ hasText: 'stream.missed' }).waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    expect(trouble).toEqual([]);
  });

  it('leaves whoever reads a list or a page where they are when it changes', async () => {
    await client.must(201, 'POST', '/webhooks/endpoints', {
      id: 'whe_focus',
      targetUrl: 'http://127.0.0.1:9/',
      eventTypes: ['media.processed'],
      contract: 'core',
    });
    const account = (id: string) =>
      client.must(201, 'POST', '/accounts', { id, platform: 'mastodon', username: id, profileId: 'prof_1' });
    const focused = () => page.evaluate('document.activeElement.ariaLabel ?? document.activeElement.textContent');
    await account('acct_one');
    await page.setViewportSize({ width: 320, height: 700 });
    await open('accounts');
    await page.getByRole('button', { name: 'Disconnect acct_one' }).focus();
    await page.evaluate(`document.querySelector('.scroll').scrollLeft = 100`);
    await account('acct_two');
    await page.getByRole('button', { name: 'Disconnect acct_two' }).waitFor();
    expect(await focused()).toBe('Disconnect acct_one');
    expect(await page.evaluate(`document.querySelector('.scroll').scrollLeft`)).toBe(100);
    await page.getByRole('button', { name: 'Disconnect acct_one' }).press('Enter');
    await page.getByRole('button', { name: 'Disconnect acct_one' }).waitFor({ state: 'detached' });
    expect(await page.evaluate(`document.activeElement.contains(document.querySelector('.scroll'))`)).toBe(true);
    expect(await page.evaluate('document.activeElement.tagName')).toBe('DIV');

    await page.goto(`${standalone.url}/#/webhooks/whe_focus`);
    await page.getByRole('button', { name: 'Rotate secret' }).press('Enter');
    await page.getByText(/whsec_/).waitFor();
    expect(await focused()).toBe('Rotate secret');
    await client.must(200, 'POST', '/webhooks/endpoints/whe_focus/disable');
    await page.getByText('disabled', { exact: true }).waitFor();
    expect(await focused()).toBe('Rotate secret');
    await page.getByText(/whsec_/).waitFor();
  });

  it('shows the numbers of a response as they came', async () => {
    await open('live');
    const shown = (text: string) =>
      page.evaluate(`import('/dashboard/dom.js').then(({ json }) => json(${JSON.stringify(text)}).textContent)`);
    for (const text of ['{"id":12345678901234567890}', '{"a":1,"a":2}', '1e400']) expect(await shown(text)).toBe(text);
    expect(await shown('{"a":[1]}\n')).toBe('{\n  "a": [\n    1\n  ]\n}');
  });

  it('keeps as many rows as are shown when it reads them again, and whoever is at the end of them', async () => {
    for (let n = 0; n < 300; n += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          client.must(201, 'POST', '/media', { id: `med_${n + i}`, kind: 'image', url: 'https://example.com/i.png' }),
        ),
      );
    await open('audit?entityType=media');
    for (let shown = 50; shown <= 250; shown += 50) {
      await page.locator(`tbody tr:nth-child(${shown})`).waitFor();
      if (shown < 250) await page.getByRole('button', { name: 'Show more' }).press('Enter');
    }
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Show more');
    const again = page.waitForResponse(/cursor=/);
    await page.getByRole('button', { name: 'Refresh' }).click();
    await again;
    await page.getByRole('button', { name: 'Show more', disabled: false }).waitFor();
    expect(await page.locator('tbody tr').count()).toBe(250);
  });

  it('offers as many accounts to post on as the api gives at once, and says when there are more', async () => {
    for (let n = 0; n < 201; n += 67)
      await Promise.all(
        Array.from({ length: 67 }, (_, i) =>
          client.must(201, 'POST', '/accounts', { platform: 'mastodon', username: `of${n + i}`, profileId: 'prof_1' }),
        ),
      );
    await open('posts');
    await page.getByText('The newest 200 only').waitFor();
    expect(await page.locator('fieldset input').count()).toBe(200);
  });

  it('reads again during a stream of events, not only after it', async () => {
    await open('live');
    const reads = await page.evaluate(`import('/dashboard/list.js').then(async ({ calmly }) => {
      let reads = 0;
      const ask = calmly(() => reads++, 300);
      for (let n = 0; n < 40; n++) await new Promise((next) => (ask(), setTimeout(next, 50)));
      return reads;
    })`);
    expect(reads).toBeGreaterThan(2);
  });

  it('fits a narrow screen, whatever a name is', async () => {
    const username = 'W'.repeat(200);
    await client.must(201, 'POST', '/accounts', { id: 'acct_w', platform: 'mastodon', username, profileId: 'prof_1' });
    await client.schedule('acct_w', {
      id: `pst_${'p'.repeat(60)}`,
      destinations: [{ accountId: 'acct_w', platform: 'mastodon' }],
      content: { text: username },
    });
    await page.setViewportSize({ width: 320, height: 700 });
    for (const view of ['posts', 'accounts', `posts/pst_${'p'.repeat(60)}`]) {
      await open(view);
      await page.getByText('W'.repeat(200)).first().waitFor();
      expect([view, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([view, 320]);
    }
  });
});
