import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole, type Engines } from '#platform';
import { TOPICS } from '#public-messages';
import { say } from '../terminal';
import { SampleClient } from './client';
import { SampleReceiver, type Receipt } from './receiver';

export interface SampleOptions {
  readonly url: string;
  readonly engines: Engines;
  readonly key: string;
  readonly signal: AbortSignal;
}

/** What the sample remembers between starts: its receiver's port, its endpoints' secrets, its accounts. */
interface SampleState {
  port: number;
  accounts: { instagram: string; linkedin: string };
  secrets: { core: string; postEz: string; moody: string };
}

const STORY_MS = 60_000;

/** Plays the main job through the public API and the bus, and tells it in the terminal; the receiver stays afterwards. */
export async function playSample(options: SampleOptions): Promise<void> {
  if (!options.key)
    return say('No sample: its key is not known here (POSTLEDGER_API_KEY, or a fresh DATA_DIR, brings it back).');
  try {
    await new Sample(options).play();
  } catch (error) {
    if (!options.signal.aborted) say(`The sample stopped: ${(error as Error).message}`);
  }
}

class Sample {
  private readonly client: SampleClient;
  private readonly receipts: Receipt[] = [];
  private readonly receiver = new SampleReceiver((receipt) => this.hear(receipt));
  private waiting: (() => void)[] = [];

  constructor(private readonly options: SampleOptions) {
    this.client = new SampleClient(options.url, options.key, options.signal);
    options.signal.addEventListener('abort', () => this.receiver.close());
  }

  async play(): Promise<void> {
    say('── The main job, once ──');
    const state = await this.prepare();
    await this.tapBus();
    const published = await this.schedule('Good morning! A first post.', [
      { accountId: state.accounts.instagram, platform: 'instagram' },
    ]);
    const partial = await this.schedule('To two networks, of which one refuses.', [
      { accountId: state.accounts.instagram, platform: 'instagram' },
      { accountId: state.accounts.linkedin, platform: 'linkedin' },
    ]);
    const later = await this.schedule(
      'Tomorrow’s post.',
      [{ accountId: state.accounts.instagram, platform: 'instagram' }],
      new Date(Date.now() + 86_400_000),
    );
    say(`  tomorrow   ${later} waits for its time`);
    await this.until(() => this.got('core', 'post.published') && this.got('core', 'post.partial'));
    for (const id of [published, partial]) await this.tellResults(id);
    await this.until(() => this.receipts.some(({ mailbox, status }) => mailbox === 'moody' && status === 204));
    say('  recovered  the moody receiver refused once, was tried again and took it');
    const audit = await this.client.call<{ data: { action: string; actor: string }[] }>('GET', '/audit-log?limit=5');
    say(`  audit      newest: ${audit.data.map(({ action, actor }) => `${action} by ${actor}`).join(', ')}`);
    const verified = this.receipts.filter((receipt) => receipt.verified && receipt.status === 204).length;
    say(
      `── ${verified} webhooks received and verified, ${this.receipts.filter((receipt) => !receipt.verified).length} not ──`,
    );
  }

  /** Accounts and endpoints: made at the first start, found again at the next. */
  private async prepare(): Promise<SampleState> {
    const file = join(this.options.engines.settings.dataDir, 'sample.json');
    const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SampleState) : undefined;
    const port = await this.receiver.listen(known?.port ?? 0).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error;
      throw new Error(`port ${known?.port} of its receiver is in use`, { cause: error });
    });
    const state = known ?? (await this.firstTime(port));
    if (!known) writeWhole(file, JSON.stringify(state));
    else say('  again      accounts and webhook endpoints stand from the start before');
    this.receiver.open('core', { scheme: 'standard', secret: state.secrets.core, refusals: 0 });
    this.receiver.open('post-ez', { scheme: 'post-ez', secret: state.secrets.postEz, refusals: 0 });
    this.receiver.open('moody', { scheme: 'standard', secret: state.secrets.moody, refusals: 1 });
    return state;
  }

  private async firstTime(port: number): Promise<SampleState> {
    const account = async (platform: string, username: string) => {
      const { id } = await this.client.call<{ id: string }>('POST', '/accounts', {
        platform,
        username,
        profileId: 'prof_sample',
      });
      say(`  connected  ${platform} account ${username} (${id})`);
      return id;
    };
    const endpoint = async (mailbox: string, contract: string, eventTypes: string[]) => {
      const made = await this.client.call<{ signingSecret: string }>('POST', '/webhooks/endpoints', {
        targetUrl: `http://127.0.0.1:${port}/${mailbox}`,
        contract,
        eventTypes,
        description: `sample receiver ${mailbox}`,
      });
      say(`  registered webhook endpoint ${mailbox}, contract ${contract}`);
      return made.signingSecret;
    };
    const accounts = {
      instagram: await account('instagram', 'corner.bakery'),
      linkedin: await account('linkedin', 'bakery.fails'),
    };
    const secrets = {
      core: await endpoint('core', 'core', ['*']),
      postEz: await endpoint('post-ez', 'post-ez', ['post.*']),
      moody: await endpoint('moody', 'core', ['post.published']),
    };
    return { port, accounts, secrets };
  }

  /** A consumer of the bus, as any team's would be. */
  private async tapBus(): Promise<void> {
    const tap = await this.options.engines.bus.subscribe({
      // A process id comes again, the first one of a container at each start.
      group: `sample-${randomUUID()}`,
      isPassing: true,
      topics: [TOPICS.posts],
      from: 'latest',
      onBatch: async (messages) =>
        messages.forEach(({ type, key, topic }) => say(`  on the bus ${type.padEnd(28)} ${key}   ${topic}`)),
    });
    this.options.signal.addEventListener('abort', () => void tap.close());
  }

  private async schedule(
    text: string,
    destinations: { accountId: string; platform: string }[],
    at?: Date,
  ): Promise<string> {
    const body = {
      profileId: 'prof_sample',
      content: { text },
      destinations,
      ...(at && { scheduledAt: at.toISOString() }),
    };
    const { id } = await this.client.call<{ id: string }>('POST', '/posts', body);
    say(`  scheduled  ${id} “${text}”`);
    return id;
  }

  private async tellResults(id: string): Promise<void> {
    const results = await this.client.call<{
      status: string;
      destinations: { platform: string; status: string; url?: string; error?: string }[];
    }>('GET', `/posts/${id}/results`);
    const each = results.destinations.map(
      ({ platform, status, url, error }) =>
        `${platform} ${status}${url ? ` at ${url}` : ''}${error ? ` (${error})` : ''}`,
    );
    say(`  ${results.status.padEnd(10)} ${id}: ${each.join('; ')}`);
  }

  private hear(receipt: Receipt): void {
    this.receipts.push(receipt);
    const proof = receipt.verified ? 'signature verified' : `NOT genuine: ${receipt.reason}`;
    say(`  webhook    ${receipt.mailbox.padEnd(8)} ${receipt.type.padEnd(28)} ${proof}, answered ${receipt.status}`);
    for (const look of this.waiting) look();
  }

  private got(mailbox: string, type: string): boolean {
    return this.receipts.some(
      (receipt) => receipt.mailbox === mailbox && receipt.type === type && receipt.status === 204,
    );
  }

  private until(condition: () => boolean): Promise<void> {
    return new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error('the webhooks did not all come within a minute')), STORY_MS);
      const look = () => {
        if (!condition()) return;
        clearTimeout(timer);
        this.waiting = this.waiting.filter((one) => one !== look);
        done();
      };
      this.waiting.push(look);
      this.options.signal.addEventListener('abort', () => (clearTimeout(timer), fail(new Error('stopped'))), {
        once: true,
      });
      look();
    });
  }
}
