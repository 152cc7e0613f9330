import { existsSync } from 'node:fs';
import { chromium, type Browser, type Dialog, type Page } from 'playwright-core';
import { eventually } from '#testing';
import type { Client } from '../harness/client';
import { KEY, Standalone } from '../harness/standalone';

const CHROMIUM = '/usr/bin/chromium';

(existsSync(CHROMIUM) ? describe : describe.skip)('the dashboard, open all day', () => {
  let standalone: Standalone;
  let client: Client;
  let browser: Browser;
  let page: Page;
  let trouble: string[];
  let questions: string[];
  let answer: (question: Dialog) => Promise<void>;

  beforeAll(async () => {
    [standalone, browser] = await Promise.all([
      Standalone.start(),
      chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'], timeout: 90_000 }),
    ]);
    client = standalone.client();
    await account('acct_day', 'day');
  });
  afterAll(async () => {
    await browser?.close();
    await standalone?.remove();
  });
  beforeEach(async () => {
    trouble = [];
    questions = [];
    answer = (question) => question.accept();
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, timezoneId: 'Asia/Tokyo' });
    context.setDefaultTimeout(60_000);
    page = await context.newPage();
    page.on('pageerror', (error) => trouble.push(error.message));
    page.on('dialog', (question) => (questions.push(question.message()), answer(question)));
  });
  afterEach(async () => {
    await page.context().close();
    expect(trouble).toEqual([]);
  });

  const open = async (view: string): Promise<void> => {
    await page.goto(`${standalone.url}/#key=${KEY}`);
    await page.getByRole('navigation').waitFor();
    await page.getByText('live', { exact: true }).waitFor();
    await page.goto(`${standalone.url}/#/${view}`);
    await page.locator(`#nav a[aria-current="page"][href="#/${view.split(/[/?]/)[0]}"]`).waitFor();
  };
  const row = (text: string) => page.locator('tbody tr').filter({ hasText: text });
  const address = () => new URL(page.url()).hash;
  /** What a page reads once, and the stream that begins with the page does not tell, is in the lists before it. */
  const isListed = (path: string) =>
    eventually(async () => expect((await client.get(`${path}?minRevision=0`)).status).toBe(200), { within: 60_000 });
  const account = async (id: string, username: string) => {
    await client.must(201, 'POST', '/accounts', { id, platform: 'mastodon', username, profileId: 'prof_day' });
    await isListed(`/accounts/${id}`);
  };
  const post = async (id: string, more: object = {}) => {
    await client.schedule('acct_day', {
      id,
      destinations: [{ accountId: 'acct_day', platform: 'mastodon' }],
      scheduledAt: '2100-01-01T00:00:00Z',
      ...more,
    });
    await isListed(`/posts/${id}`);
  };

  it('keeps the filters of a list in its address, for a reload, the way back and a link', async () => {
    await post('pst_kept');
    await open('posts');
    await row('pst_kept').waitFor();
    await page.getByLabel('Status').selectOption('failed');
    await page.getByText('No posts here.').waitFor();
    await eventually(() => expect(address()).toBe('#/posts?status=failed'));
    await page.reload();
    await page.getByText('No posts here.').waitFor();
    expect(await page.getByLabel('Status').inputValue()).toBe('failed');
    await page.getByLabel('Status').selectOption('scheduled');
    await row('pst_kept').getByRole('link').click();
    await page.getByRole('link', { name: 'All posts' }).waitFor();
    expect(await page.title()).toBe('pst_kept · Posts · Postledger');
    await page.goBack();
    await row('pst_kept').waitFor();
    expect(await page.getByLabel('Status').inputValue()).toBe('scheduled');
  });

  it('reads a list again by the filters that its address has, not by those that are being chosen', async () => {
    await open('audit');
    await row('AccountConnected').first().waitFor();
    const asked = () => page.evaluate<[string, string][]>('asked');
    await page.evaluate(`{
      const action = (address) => new URLSearchParams(address.split('?')[1]).get('action') ?? '';
      const { fetch } = window;
      window.asked = [];
      window.fetch = (path, ...rest) => (asked.push([action(path), action(location.hash)]), fetch(path, ...rest));
      const chosen = document.querySelector('[name=action]');
      chosen.value = 'PostScheduled';
      chosen.dispatchEvent(new Event('input', { bubbles: true }));
      [...document.querySelectorAll('button')].find((it) => it.textContent === 'Refresh').click();
    }`);
    await eventually(async () => expect((await asked()).at(-1)).toEqual(['PostScheduled', 'PostScheduled']));
    expect((await asked())[0]).toEqual(['', '']);
  });

  it('writes a time of a filter as the moment that it is, and reads it by the clock of the reader', async () => {
    await open('audit?from=2026-05-01T00:00:00.000Z&entityType=post');
    expect(await page.getByLabel('From').inputValue()).toBe('2026-05-01T09:00');
    await page.getByLabel('From').fill('2099-05-01T10:30');
    await page.getByText('No entries match.').waitFor();
    await eventually(() =>
      expect(new URLSearchParams(address().split('?')[1])).toEqual(
        new URLSearchParams({ entityType: 'post', from: '2099-05-01T01:30:00.000Z' }),
      ),
    );
  });

  it('leaves the rows that say the same as they are when others come, and what is pointed at under the pointer', async () => {
    for (let n = 0; n < 30; n++) await account(`acct_row${n}`, `row${n}`);
    await open('accounts');
    const pointed = page.getByRole('button', { name: 'Disconnect row2', exact: true });
    await pointed.hover();
    const was = await pointed.boundingBox();
    const same = await pointed.elementHandle();
    await account('acct_newest', 'newest');
    await row('newest').waitFor();
    expect(await same!.evaluate((it) => it.isConnected)).toBe(true);
    expect(Math.round((await pointed.boundingBox())!.y)).toBe(Math.round(was!.y));
  });

  it('says once that a list cannot be read, and reads it again by itself when the api is back', async () => {
    await open('posts');
    await page.goto(`${standalone.url}/#/deliveries`);
    let asked = 0;
    await page.route('**/api/v1/webhooks/deliveries*', (route) => (asked++, route.abort()));
    const alert = await page.getByRole('alert').elementHandle();
    await eventually(() => expect(asked).toBeGreaterThan(2), { within: 30_000 });
    expect(await alert!.evaluate((it) => it.isConnected)).toBe(true);
    await page.unroute('**/api/v1/webhooks/deliveries*');
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });

  it('shows what there is again when the api was away', async () => {
    await open('accounts');
    await account('acct_seen', 'seen');
    await row('acct_seen').waitFor();
    await page.context().setOffline(true);
    await page.getByLabel('Status').selectOption('connected');
    await page.getByText('The api cannot be reached.').waitFor();
    await standalone.program.stop();
    await page.getByText('offline', { exact: true }).waitFor();
    await standalone.start();
    await page.context().setOffline(false);
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await row('acct_day').first().waitFor();
  });

  it('has one effect where the answer to a press was lost and it is pressed again', async () => {
    await open('accounts');
    let lost = 0;
    await page.route('**/api/v1/accounts', async (route) => {
      if (route.request().method() !== 'POST' || lost++ > 0) return route.continue();
      await route.fetch();
      return route.abort();
    });
    await page.getByLabel('Platform').first().fill('mastodon');
    await page.getByLabel('Username').fill('pressed.twice');
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByText('The api cannot be reached.').waitFor();
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await row('pressed.twice').first().waitFor();
    const { body } = await client.get<{ data: { username: string }[] }>('/accounts?limit=200');
    expect(body.data.filter(({ username }) => username === 'pressed.twice')).toHaveLength(1);
    // The same again is another command once the first was answered.
    await page.getByLabel('Platform').first().fill('mastodon');
    await page.getByLabel('Username').fill('pressed.twice');
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await eventually(async () => expect(await row('pressed.twice').count()).toBe(2));
  });

  it('asks before it does what cannot be taken back', async () => {
    await post('pst_asked');
    await open('posts/pst_asked');
    answer = (question) => question.dismiss();
    await page.getByRole('button', { name: 'Cancel this post' }).click();
    await page.goto(`${standalone.url}/#/accounts`);
    await page.getByRole('button', { name: 'Disconnect day', exact: true }).click();
    expect(questions).toEqual([
      'Cancel this post? It cannot be scheduled again.',
      'Disconnect day? Nothing is published there then.',
    ]);
    expect((await client.get<{ status: string }>('/posts/pst_asked')).body.status).toBe('scheduled');
    expect((await client.get<{ status: string }>('/accounts/acct_day')).body.status).toBe('connected');
    answer = (question) => question.accept();
    await page.goto(`${standalone.url}/#/posts/pst_asked`);
    await page.getByRole('button', { name: 'Cancel this post' }).click();
    await page.getByText('cancelled', { exact: true }).waitFor();
  });

  it('copies an id and a secret', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await post('pst_copied');
    await open('posts/pst_copied');
    await page.getByRole('button', { name: 'Copy pst_copied' }).click();
    await page.getByText('Copied.').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('pst_copied');
    await page.goto(`${standalone.url}/#/webhooks`);
    await page.getByLabel('Target URL').fill('http://127.0.0.1:9/copied');
    await page.getByRole('button', { name: 'Register' }).click();
    await page.getByRole('button', { name: 'Copy the signing secret' }).click();
    await eventually(async () => expect(await page.evaluate('navigator.clipboard.readText()')).toMatch(/^whsec_/));
  });

  it('shows the beginning of a long text in the list and all of it, line by line, on its own page', async () => {
    const text = Array.from({ length: 400 }, (_, n) => `line ${n} مرحبا`).join('\n');
    await post('pst_long', { content: { text } });
    await page.setViewportSize({ width: 360, height: 740 });
    await open('posts');
    expect((await row('pst_long').boundingBox())!.height).toBeLessThan(150);
    await row('pst_long').getByRole('link').click();
    const whole = page.locator('.said');
    await whole.waitFor();
    expect(await whole.evaluate((it) => (it as unknown as { innerText: string }).innerText)).toBe(text);
    expect((await whole.boundingBox())!.height).toBeGreaterThan(400 * 15);
    expect((await page.locator('header').boundingBox())!.y).toBe(0);
    await page.mouse.wheel(0, 2000);
    await eventually(async () => expect((await page.locator('header').boundingBox())!.y).toBeLessThan(-200));
  });
});
