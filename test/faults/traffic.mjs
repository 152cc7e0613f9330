// What services and people do meanwhile: commands of all kinds, and churn of the endpoints. Keeps what was acknowledged.
import { setTimeout as pause } from 'node:timers/promises';
import { KEY } from './stage.mjs';

const FUTURE = '2031-01-01T00:00:00Z';
/** A command that was not answered for so long after everything was well again never will be. */
const PATIENCE_MS = 90_000;
const FIXED = [
  { way: 'steady', eventTypes: ['*'] },
  { way: 'flaky', eventTypes: ['*'], ordered: true },
  { way: 'moody', eventTypes: ['post.*', 'campaign.*'], ordered: true },
  { way: 'moody', eventTypes: ['operation.*', 'image.*', 'post.*'], latestOnly: true },
  { way: 'flaky', eventTypes: ['account.*', 'team.*'], rateLimitPerSecond: 30 },
  { way: 'flaky', eventTypes: ['post.*', 'campaign.*'] },
];
const TYPES = [
  ['*'],
  ['post.*'],
  ['post.scheduled', 'post.cancelled'],
  ['campaign.*', 'operation.*'],
  ['account.*', 'post.*'],
];
const WAYS = ['steady', 'flaky', 'moody'];

export class Traffic {
  /** What was asked, with what it must have left in the log. */
  commands = [];
  endpoints = new Map();
  /** Campaigns that were closed with posts that will settle. */
  closed = [];
  due = [];
  expiring = [];
  erased = new Set();
  streams = new Map();
  faults = [];
  isOver = false;
  overAt = Infinity;
  #asked = 0;

  constructor({ stage, receiver, dice }) {
    Object.assign(this, { stage, receiver, dice });
  }

  end() {
    this.isOver = true;
    this.overAt = performance.now();
  }

  /** Nobody listens to the live streams any more. */
  hangUp() {
    for (const { stop } of this.streams.values()) stop.abort();
  }

  async call(key, method, path, body, headers = {}) {
    const { url } = this.dice.oneOf(this.stage.of('api'));
    const answer = await fetch(`${url}/api/v1${path}`, {
      method,
      signal: AbortSignal.timeout(20_000),
      headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text ? JSON.parse(text) : undefined };
  }

  /** One command, tried with one key until it is answered; undefined when its answer is none of a success. */
  async act(workspace, method, path, body, expect, { also = [] } = {}) {
    const correlation = `faults-${this.stage.seed}-${++this.#asked}`;
    const command = { correlation, workspace: workspace.id, what: `${method} ${path}`, expect, tries: 0, body };
    this.commands.push(command);
    for (;;) {
      command.tries++;
      let answer;
      try {
        answer = await this.call(workspace.key, method, path, body, {
          'idempotency-key': correlation,
          'x-correlation-id': correlation,
        });
      } catch (error) {
        command.last = error.message;
      }
      if (answer) {
        const { status, body: said } = answer;
        command.last = `${status} ${JSON.stringify(said)?.slice(0, 300)}`;
        if (status === 500) this.faults.push(`${command.what} was answered ${command.last}`);
        if (status < 300) {
          command.isDone = true;
          return said ?? {};
        }
        if (status < 500 && said?.code !== 'IDEMPOTENCY_KEY_IN_USE') {
          command.isRefused = true;
          if (!also.includes(status))
            this.faults.push(`${command.what} was answered ${command.last} (try ${command.tries})`);
          return undefined;
        }
      }
      if (performance.now() > this.overAt + PATIENCE_MS) {
        this.faults.push(`${command.what} was not answered: ${command.last}`);
        return undefined;
      }
      await pause(this.dice.between(30, 150));
    }
  }

  /** Accounts and endpoints that stay, in the first workspace and in one of its own. */
  async open(firstWorkspace) {
    const first = { id: firstWorkspace, key: KEY, name: 'a' };
    const { id, apiKey } = await this.act(first, 'POST', '/workspaces', { name: 'second' }, {});
    const second = { id, key: apiKey, name: 'b' };
    this.workspaces = [first, second];
    for (const workspace of this.workspaces) {
      workspace.accounts = {};
      for (const kind of ['ok', 'fails', 'flaky', 'slow'])
        workspace.accounts[kind] = (
          await this.act(
            workspace,
            'POST',
            '/accounts',
            { platform: 'instagram', username: kind === 'ok' ? 'fine' : `some.${kind}`, profileId: 'prof_1' },
            { AccountConnected: 1 },
          )
        ).id;
      for (const [n, { way, ...more }] of FIXED.entries())
        await this.register(workspace, `whe_fixed_${workspace.name}${n}`, way, more, true);
    }
  }

  run() {
    const jobs = this.workspaces.flatMap((workspace) => [
      this.loop('posts', 60, (n) => this.post(workspace, n)),
      this.loop('posts2', 60, (n) => this.post(workspace, `x${n}`)),
      this.loop('publishing', 150, (n) => this.campaign(workspace, n)),
      this.loop('studio', 100, (n) => this.studio(workspace, n)),
      this.loop('accounts', 250, (n) => this.account(workspace, n)),
      this.loop('people', 400, (n) => this.person(workspace, n)),
      this.loop('endpoints', 100, (n) => this.endpoint(workspace, n)),
      this.loop('fixed endpoints', 2_000, () => this.replays(workspace)),
      this.listen(workspace),
    ]);
    return Promise.all(jobs);
  }

  async loop(what, ms, work) {
    for (let n = 0; !this.isOver; n++) {
      try {
        await work(n);
      } catch (error) {
        this.faults.push(`${what}: ${error.stack}`);
      }
      await pause(this.dice.between(0, 2 * ms));
    }
  }

  schedule(workspace, id, kinds, more = {}) {
    return this.act(
      workspace,
      'POST',
      '/posts',
      {
        id,
        profileId: 'prof_1',
        content: { text: `Post ${id}` },
        destinations: kinds.map((kind) => ({ accountId: workspace.accounts[kind], platform: 'instagram' })),
        ...more,
      },
      { PostScheduled: 1 },
    );
  }

  async post(workspace, n) {
    const { dice } = this;
    const id = `pst_${workspace.name}${n}`;
    await this.schedule(workspace, id, ['ok'], { scheduledAt: FUTURE });
    for (let times = dice.between(0, 2); times > 0; times--)
      await this.act(
        workspace,
        'POST',
        `/posts/${id}/reschedule`,
        { scheduledAt: `203${times + 1}-02-01T00:00:00Z` },
        { PostRescheduled: 1 },
      );
    if (dice.chance(0.6)) await this.act(workspace, 'POST', `/posts/${id}/cancel`, {}, { PostCancelled: 1 });
  }

  async campaign(workspace, n) {
    const { dice } = this;
    const id = `cmp_${workspace.name}${n}`;
    await this.act(
      workspace,
      'POST',
      '/campaigns',
      { id, name: `Campaign ${n}`, profileId: 'prof_1' },
      { CampaignCreated: 1 },
    );
    const posts = [];
    for (let times = dice.between(0, 3); times > 0; times--) {
      const post = `pst_${workspace.name}due${n}_${times}`;
      posts.push(post);
      const kinds = ['ok', 'fails', 'flaky', 'slow'].filter(() => dice.chance(0.4));
      await this.schedule(workspace, post, kinds.length > 0 ? kinds : ['ok'], { campaignId: id });
      this.due.push({ workspace, post });
    }
    await this.act(workspace, 'POST', `/campaigns/${id}/close`, {}, { CampaignClosed: 1 });
    this.closed.push({ workspace, id, posts });
  }

  async studio(workspace, n) {
    const { dice } = this;
    const id = `op_${workspace.name}${n}`;
    await this.act(workspace, 'POST', '/operations', { id, kind: 'image', total: 10 }, { OperationStarted: 1 });
    for (let done = 1; done <= dice.between(1, 4); done++)
      await this.act(workspace, 'POST', `/operations/${id}/progress`, { done }, { OperationProgressed: 1 });
    if (dice.chance(0.5))
      await this.act(
        workspace,
        'POST',
        `/operations/${id}/complete`,
        { url: 'https://example.com/x.png' },
        { OperationCompleted: 1 },
      );
    else
      await this.act(
        workspace,
        'POST',
        `/operations/${id}/fail`,
        { error: { code: 'x', message: 'y' } },
        { OperationFailed: 1 },
      );
    await this.act(
      workspace,
      'POST',
      `/regions/r${n % 3}/performance`,
      { period: `p${n}`, impressions: n, engagements: 1, contentCount: 1 },
      { RegionPerformanceUpdated: 1 },
    );
  }

  async account(workspace, n) {
    const { dice } = this;
    const id = `acct_${workspace.name}${n}`;
    const expires = dice.chance(0.5);
    await this.act(
      workspace,
      'POST',
      '/accounts',
      {
        id,
        platform: 'mastodon',
        username: `user${n}`,
        profileId: 'prof_1',
        ...(expires && { credentialExpiresAt: new Date(Date.now() + dice.between(1_000, 8_000)).toISOString() }),
      },
      { AccountConnected: 1 },
    );
    if (expires) this.expiring.push({ workspace, id });
    else if (dice.chance(0.5))
      await this.act(workspace, 'POST', `/accounts/${id}/disconnect`, { reason: 'user' }, { AccountDisconnected: 1 });
    await this.act(
      workspace,
      'POST',
      '/subscription/payments',
      { invoiceId: `inv_${workspace.name}${n}`, amountCents: n, currency: 'EUR', outcome: 'succeeded' },
      { PaymentSucceeded: 1 },
    );
  }

  async person(workspace, n) {
    const { dice } = this;
    const name = `${workspace.name}${n}`;
    await this.act(
      workspace,
      'POST',
      '/team/invitations',
      { id: `inv_${name}`, email: `${name}@example.com`, role: 'editor' },
      { MemberInvited: 1 },
    );
    await this.act(
      workspace,
      'POST',
      `/team/invitations/inv_${name}/accept`,
      { userId: `usr_${name}` },
      { MemberJoined: 1 },
    );
    await this.act(workspace, 'POST', `/team/members/usr_${name}/role`, { role: 'viewer' }, { RoleChanged: 1 });
    if (!dice.chance(0.5)) return;
    this.erased.add(`inv_${name}`).add(`usr_${name}`);
    await this.act(workspace, 'POST', `/subjects/usr_${name}/erase`, {}, { SubjectErased: 1 });
  }

  async register(workspace, id, way, more, isFixed = false) {
    const said = await this.act(
      workspace,
      'POST',
      '/webhooks/endpoints',
      { id, targetUrl: this.receiver.url(id, way), contract: 'core', ...more },
      { EndpointRegistered: 1 },
    );
    if (!said) return undefined;
    const endpoint = {
      id,
      workspace,
      isFixed,
      way,
      ...more,
      isOrdered: more.ordered ?? false,
      wasLatestOnly: more.latestOnly ?? false,
      enabled: true,
      present: more.eventTypes,
    };
    this.endpoints.set(id, endpoint);
    return endpoint;
  }

  /** One life of an endpoint, with everything that can be done to it. */
  async endpoint(workspace, n) {
    const { dice } = this;
    const id = `whe_churn_${workspace.name}${n}`;
    const past = dice.chance(0.3)
      ? { startFrom: new Date(Date.now() - dice.between(1_000, 10_000)).toISOString() }
      : {};
    const endpoint = await this.register(workspace, id, dice.oneOf(WAYS), {
      eventTypes: dice.oneOf(TYPES),
      ordered: dice.chance(0.5),
      ...past,
    });
    if (!endpoint) return;
    const path = `/webhooks/endpoints/${id}`;
    for (let times = dice.between(2, 10); times > 0 && !this.isOver; times--) {
      await pause(dice.between(0, 600));
      switch (dice.between(1, 8)) {
        case 1: {
          const eventTypes = dice.oneOf(TYPES.filter((types) => types !== endpoint.present));
          endpoint.present = eventTypes;
          await this.act(workspace, 'PATCH', path, { eventTypes }, { EndpointUpdated: 1 });
          break;
        }
        case 2:
          endpoint.isOrdered = !endpoint.isOrdered;
          endpoint.wasToggled = true;
          await this.act(workspace, 'PATCH', path, { ordered: endpoint.isOrdered }, { EndpointUpdated: 1 });
          break;
        case 3: {
          const way = dice.oneOf(WAYS.filter((one) => one !== endpoint.way));
          endpoint.way = way;
          await this.act(workspace, 'PATCH', path, { targetUrl: this.receiver.url(id, way) }, { EndpointUpdated: 1 });
          break;
        }
        case 4:
          endpoint.wasDisabled = true;
          await this.act(workspace, 'POST', `${path}/disable`, undefined, { EndpointDisabled: 1 });
          await pause(dice.between(0, 500));
          await this.act(workspace, 'POST', `${path}/enable`, undefined, { EndpointEnabled: 1 });
          break;
        case 5:
          await this.act(
            workspace,
            'POST',
            `${path}/rotate-secret`,
            { overlapHours: 1 },
            { SecretRotated: 1 },
            { also: [409, 422] },
          );
          break;
        case 6:
          await this.replay(workspace, endpoint);
          break;
        case 7:
          await this.oneDelivery(workspace, endpoint);
          break;
        default: {
          endpoint.wasLatestOnly = true;
          endpoint.latestOnly = !endpoint.latestOnly;
          await this.act(workspace, 'PATCH', path, { latestOnly: endpoint.latestOnly }, { EndpointUpdated: 1 });
        }
      }
    }
    if (!dice.chance(0.5)) return;
    await this.act(workspace, 'DELETE', path, undefined, { EndpointDeleted: 1 });
    endpoint.isDeleted = true;
  }

  async replay(workspace, endpoint) {
    endpoint.wasReplayed = true;
    const since = new Date(Date.now() - this.dice.between(500, 5_000)).toISOString();
    const said = await this.act(
      workspace,
      'POST',
      `/webhooks/endpoints/${endpoint.id}/replay`,
      { since },
      { ReplayRequested: 1 },
      { also: [409] },
    );
    if (said) (endpoint.jobs ??= []).push(said.jobId);
  }

  replays(workspace) {
    const fixed = [...this.endpoints.values()].filter((one) => one.isFixed && one.workspace === workspace);
    return this.replay(workspace, this.dice.oneOf(fixed));
  }

  /** Replays or discards one delivery by hand. */
  async oneDelivery(workspace, endpoint) {
    const listed = await this.call(
      workspace.key,
      'GET',
      `/webhooks/deliveries?endpointId=${endpoint.id}&limit=20`,
    ).catch(() => undefined);
    if (listed?.status !== 200 || listed.body.data.length === 0) return;
    const { id } = this.dice.oneOf(listed.body.data);
    endpoint.wasHandled = true;
    if (this.dice.chance(0.5))
      await this.act(
        workspace,
        'POST',
        `/webhooks/deliveries/${id}/replay`,
        undefined,
        { DeliveryReplayRequested: 1 },
        { also: [404, 409] },
      );
    else await this.act(workspace, 'DELETE', `/webhooks/deliveries/${id}`, undefined, {}, { also: [404, 409] });
  }

  /** The live stream, resumed wherever it breaks off. */
  async listen(workspace) {
    const heard = { ids: [], breaks: 0 };
    this.streams.set(workspace, heard);
    let lastId;
    heard.stop = new AbortController();
    while (!heard.stop.signal.aborted) {
      try {
        const { url } = this.dice.oneOf(this.stage.of('api'));
        const answer = await fetch(`${url}/api/v1/stream`, {
          signal: heard.stop.signal,
          headers: { authorization: `Bearer ${workspace.key}`, ...(lastId && { 'last-event-id': lastId }) },
        });
        if (answer.status !== 200) {
          if (![502, 503, 504].includes(answer.status))
            this.faults.push(`the stream was answered ${answer.status} ${await answer.text()}`);
          throw new Error('not open');
        }
        let rest = '';
        for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
          const parts = (rest + chunk).split('\n\n');
          rest = parts.pop();
          for (const part of parts) {
            const id = /^id: ?(.*)$/m.exec(part)?.[1];
            if (!id) continue;
            lastId = id;
            heard.ids.push(id);
          }
        }
      } catch {
        heard.breaks++;
      }
      await pause(50);
    }
  }
}
