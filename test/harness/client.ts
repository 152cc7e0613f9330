/** One answer of the API, parsed. */
export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
  readonly text: string;
}

export interface CallOptions {
  readonly headers?: Record<string, string>;
  /** Sent as it stands, instead of JSON. */
  readonly raw?: string;
}

/** Reads may wait so long for what was written just before: a second would do on a machine that has nothing else to do. */
const PATIENCE = { prefer: 'wait=20' };

/** The API as a service calls it; nothing is retried and no status is an exception. */
export class Client {
  constructor(
    private readonly base: () => string,
    private readonly key: string,
  ) {}

  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: object,
    { headers = {}, raw }: CallOptions = {},
  ): Promise<Answer<T>> {
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const answer = await fetch(
      path.startsWith('/health') || path === '/metrics' ? `${this.base()}${path}` : `${this.base()}/api/v1${path}`,
      {
        method,
        redirect: 'manual',
        headers: {
          authorization: `Bearer ${this.key}`,
          ...(content !== undefined && { 'content-type': 'application/json' }),
          ...(method === 'GET' && PATIENCE),
          ...headers,
        },
        ...(content !== undefined && { body: content }),
      },
    );
    const text = await answer.text();
    const isJson = /[/+]json\b/.test(answer.headers.get('content-type') ?? '');
    return {
      status: answer.status,
      headers: answer.headers,
      body: (isJson && text ? JSON.parse(text) : {}) as T,
      text,
    };
  }

  get = <T = Record<string, unknown>>(path: string, options?: CallOptions): Promise<Answer<T>> =>
    this.call<T>('GET', path, undefined, options);
  post = <T = Record<string, unknown>>(path: string, body: object = {}, options?: CallOptions): Promise<Answer<T>> =>
    this.call<T>('POST', path, body, options);
  patch = <T = Record<string, unknown>>(path: string, body: object, options?: CallOptions): Promise<Answer<T>> =>
    this.call<T>('PATCH', path, body, options);
  delete = (path: string, options?: CallOptions): Promise<Answer> => this.call('DELETE', path, undefined, options);

  /** Opens a stream of events, from now on or after an event; for a reader that brings its own end. */
  stream =
    (path: string, lastEventId?: string) =>
    (signal: AbortSignal): Promise<Response> =>
      fetch(`${this.base()}/api/v1${path}`, {
        signal,
        headers: {
          authorization: `Bearer ${this.key}`,
          ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
        },
      });

  /** Does a call and insists on its status. */
  async must<T = Record<string, unknown>>(
    status: number,
    method: string,
    path: string,
    body?: object,
    options?: CallOptions,
  ): Promise<T> {
    const answer = await this.call<T>(method, path, body, options);
    if (answer.status !== status)
      throw new Error(`${method} ${path} answered ${answer.status}, not ${status}: ${answer.text}`);
    return answer.body;
  }

  /** An account to post on. */
  account = (username = 'somebody', platform = 'instagram'): Promise<{ id: string }> =>
    this.must(201, 'POST', '/accounts', { platform, username, profileId: 'prof_test' });

  /** A post on one account, due at once unless told otherwise. */
  schedule = (
    accountId: string,
    more: object = {},
    options?: CallOptions,
  ): Promise<{ id: string; destinations: { id: string }[] }> =>
    this.must(
      201,
      'POST',
      '/posts',
      {
        profileId: 'prof_test',
        content: { text: 'Hello' },
        destinations: [{ accountId, platform: 'instagram' }],
        ...more,
      },
      options,
    );

  /** A webhook endpoint of this workspace. */
  endpoint = (targetUrl: string, more: object = {}): Promise<{ id: string; signingSecret: string }> =>
    this.must(201, 'POST', '/webhooks/endpoints', { targetUrl, eventTypes: ['*'], contract: 'core', ...more });
}
