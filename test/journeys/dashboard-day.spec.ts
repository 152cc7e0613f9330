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
  const account = (id: string, username: string) =>
    client.must(201, 'POST', '/accounts', { id, platform: 'mastodon', username, profileId: 'prof_day' });
  const post = (id: string, more: object = {}) =>
    client.schedule('acct_day', {
      id,
      destinations: [{ accountId: 'acct_day', platform: 'mastodon' }],
      scheduledAt: '2100-01-01T00:00:00Z',
      ...more,
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
});
