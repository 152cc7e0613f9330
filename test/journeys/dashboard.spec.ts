import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { eventually } from '#testing';
import { KEY, Standalone } from '../harness/standalone';
import type { Client } from '../harness/client';

const CHROMIUM = '/usr/bin/chromium';
const isThere = existsSync(CHROMIUM);
/** Runs in the page. */
const ACCESSIBILITY = readFileSync(join(__dirname, 'accessibility.browser.js'), 'utf8');
const TEXT = '<img src=x onerror="document.title=1"> & <b>Grüße</b> 😀';

if (!isThere) process.stderr.write(`The dashboard is not tested: ${CHROMIUM} is missing (apt-get install chromium)\n`);

(isThere ? describe : describe.skip)('the dashboard', () => {
  let standalone: Standalone;
  let client: Client;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let receiver: Server;
  let target: string;
  let isDown = false;
  /** Requests to other hosts, errors on the console, exceptions: there may be none. */
  let trouble: string[];

  beforeAll(async () => {
    receiver = createServer((request, response) => {
      request.resume();
      response.writeHead(isDown ? 500 : 200).end(isDown ? 'down' : 'thanks');
    });
    await new Promise<void>((up) => receiver.listen(0, '127.0.0.1', up));
    target = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
    [standalone, browser] = await Promise.all([
      Standalone.start({ RETRY_SCALE: '0.00001' }),
      chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'], timeout: 90_000 }),
    ]);
    client = standalone.client();
  });
  afterAll(async () => {
    await browser?.close();
    await standalone?.remove();
    receiver.close();
    receiver.closeAllConnections();
  });
  beforeEach(async () => {
    trouble = [];
    context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
    context.setDefaultTimeout(60_000);
    page = await context.newPage();
    page.on('request', (request) => {
      if (!request.url().startsWith(`${standalone.url}/`)) trouble.push(`requested ${request.url()}`);
    });
    page.on('console', (message) => {
      if (message.type() === 'error') trouble.push(message.text());
    });
    page.on('pageerror', (error) => trouble.push(error.message));
  });
  afterEach(async () => {
    await context.close();
  });

  const open = async (view: string): Promise<void> => {
    await page.goto(`${standalone.url}/#key=${KEY}`);
    await page.getByRole('navigation').waitFor();
    await page.goto(`${standalone.url}/#/${view}`);
    const [name] = view.split(/[/?]/);
    await page.locator(`#nav a[aria-current="page"][href="#/${name}"]`).waitFor();
    await page.locator('h1').waitFor();
  };
  const row = (text: string) => page.locator('tbody tr').filter({ hasText: text });
  /** Connected, and in the lists that a page reads once. */
  const account = async (id: string, username: string) => {
    await client.must(201, 'POST', '/accounts', { id, platform: 'mastodon', username, profileId: 'prof_main' });
    for (const list of ['/accounts?limit=200', `/audit-log?entityId=${id}`])
      await eventually(async () => expect((await client.get(list)).text).toContain(id));
  };
  const post = (id: string, accountId: string, more: object = {}) =>
    client.schedule(accountId, { id, destinations: [{ accountId, platform: 'mastodon' }], ...more });

  it('asks for a key, says when it is wrong, and keeps the right one for this tab only', async () => {
    await page.goto(standalone.url);
    await page.getByLabel('API key', { exact: true }).last().fill('wrong');
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('API key', { exact: true }).last().fill(KEY);
    await page.getByRole('button', { name: 'Open' }).click();
    await page.getByRole('heading', { name: 'Live' }).waitFor();
    const kept = await page.evaluate('[Object.keys(sessionStorage), Object.keys(localStorage), document.cookie]');
    expect(kept).toEqual([['postledger.key'], [], '']);
    await page.getByRole('button', { name: 'Forget key' }).click();
    await page.getByRole('heading', { name: 'Enter an API key' }).waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  it('takes a key from the fragment and wipes it from the address', async () => {
    await page.goto(`${standalone.url}/#key=${KEY}`);
    await page.getByRole('heading', { name: 'Live' }).waitFor();
    expect(page.url()).not.toContain(KEY);
    expect(trouble).toEqual([]);
  });

  it('connects an account, schedules a post on it and shows it go by, by itself', async () => {
    await open('accounts');
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByLabel('Platform').first().fill('mastodon');
    await page.getByLabel('Username').fill('ann');
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await row('ann').getByText('connected', { exact: true }).waitFor();

    await page.getByRole('link', { name: 'Posts' }).click();
    await page.getByLabel('Text', { exact: true }).fill(TEXT);
    await page.getByLabel('ann on mastodon').check();
    await page.getByRole('button', { name: 'Schedule', exact: true }).click();
    await row(TEXT).getByText('published', { exact: true }).first().waitFor();

    await page.getByRole('link', { name: 'Live', exact: true }).click();
    const line = page.locator('.stream li').filter({ hasText: 'post.published' }).first();
    await line.locator('summary').click();
    await line.locator('pre').getByText('"type": "post.published"').waitFor();
    await line.getByRole('link').click();
    await page.getByRole('cell', { name: /mastodon\.social/ }).waitFor();
    expect(trouble).toEqual([]);
  });

  it('filters the stream and holds it while paused', async () => {
    await account('acct_live', 'live');
    await open('live');
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByLabel('Type begins with').fill('post.destination');
    await page.getByRole('button', { name: 'Pause' }).click();
    await post('pst_held', 'acct_live');
    await page.getByText('1 new').waitFor();
    expect(await page.locator('.stream li').filter({ hasText: 'pst_held' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.locator('.stream li').filter({ hasText: 'pst_held' }).waitFor();
    expect(await page.locator('.stream li').filter({ hasText: 'post.published' }).count()).toBe(0);
  });

  it('shows why a destination failed, and tries it again', async () => {
    await account('acct_bad', 'bob.fails');
    await post('pst_bad', 'acct_bad');
    await open('posts/pst_bad');
    await page.getByRole('cell', { name: 'Token expired (token_expired)' }).waitFor();
    await page.getByRole('button', { name: 'Retry what failed' }).click();
    await row('Token expired').getByRole('cell', { name: '2', exact: true }).waitFor();
  });

  it('says beside the form what the api minds, and keeps what was typed', async () => {
    await account('acct_past', 'past');
    await open('posts');
    await page.getByLabel('Text', { exact: true }).fill('Too late');
    await page.getByLabel('past on mastodon').check();
    await page.getByLabel(/Publish at/).fill('2020-01-01T10:00');
    await page.getByRole('button', { name: 'Schedule', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: 'PUBLISH_TIME_PASSED' }).waitFor();
    expect(await page.getByLabel('Text', { exact: true }).inputValue()).toBe('Too late');
  });

  it('registers an endpoint, shows its secret once, and a parked delivery that is replayed', async () => {
    isDown = true;
    await open('webhooks');
    await page.getByLabel('Target URL').fill(target);
    await page.getByLabel('Event types').fill('account.connected');
    await page.getByRole('button', { name: 'Register' }).click();
    await page.getByText(/whsec_/).waitFor();
    await row(target).getByText('enabled').waitFor();
    await account('acct_hook', 'hook');

    await page.getByRole('link', { name: 'Deliveries' }).click();
    await page.getByRole('button', { name: 'Parked only' }).click();
    await row('account.connected').getByText('parked', { exact: true }).waitFor();
    await row('account.connected').getByRole('link', { name: /^whe_/ }).waitFor();
    await row('account.connected').getByRole('link', { name: /^dlv_/ }).click();
    await page.getByRole('cell', { name: '500' }).first().waitFor();
    await page.locator('pre').getByText('acct_hook').waitFor();
    isDown = false;
    await page.getByRole('button', { name: /^Replay/ }).click();
    await page.getByRole('cell', { name: '200' }).waitFor();
    expect(trouble).toEqual([]);
  });

  it('answers who did what, and that the chain is whole', async () => {
    await account('acct_audit', 'audit');
    await open('audit?entityId=acct_audit');
    await row('AccountConnected').waitFor();
    expect(await page.locator('tbody tr').count()).toBe(1);
    await page.getByLabel('Action').fill('PostScheduled');
    await page.getByText('No entries match.').waitFor();
    await page.getByRole('button', { name: 'Verify the chain' }).click();
    await page.getByText(/entries is whole/).waitFor();
  });

  it('shows the health of every part', async () => {
    await open('health');
    await page.getByText('Every part can work.').waitFor();
    await row('publisher').getByText('ok', { exact: true }).waitFor();
  });

  it('says so when the api cannot be reached, and recovers', async () => {
    await open('posts');
    await page.route('**/api/v1/accounts*', (route) => route.abort());
    await page.getByRole('link', { name: 'Accounts' }).click();
    await page.getByText('The api cannot be reached.').waitFor();
    await page.unroute('**/api/v1/accounts*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });

  it('forbids by its policy what it does not need', async () => {
    const { headers } = await fetch(standalone.url);
    const policy = headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it.each(['light', 'dark'] as const)('can be read and reached by everybody, in %s colours', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    for (const view of ['live', 'posts', 'accounts', 'webhooks', 'deliveries', 'audit', 'health']) {
      await open(view);
      await eventually(async () => expect(await page.getByText(/^Loading/).count()).toBe(0));
      expect([view, await page.evaluate(ACCESSIBILITY)]).toEqual([view, { unlabelled: [], pale: [] }]);
    }
  });

  it('is used by keyboard alone', async () => {
    await open('live');
    await page.locator('body').press('Tab');
    for (let i = 0; i < 20; i++) {
      if ((await page.evaluate('document.activeElement?.textContent')) === 'Posts') break;
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Posts', exact: true }).waitFor();
    expect(await page.evaluate('document.activeElement?.tagName')).toBe('H1');
  });
});
