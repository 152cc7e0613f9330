import { request as httpRequest } from 'node:http';
import { randomBytes } from 'node:crypto';
import { loadSettings, startApp, type RunningApp } from '#platform';
import { testDatabase } from '#testing';
import { ApiModule } from '../api.module';
import { configureApi } from '../configure-api';
import { ensureFirstWorkspace } from '../keys/first-workspace';
import { judgeByReference, type Judge } from './documented';
import { projectViews } from './project-views';

/** An answer as it came. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body as JSON; undefined when there is none. */
  readonly body: unknown;
  /** A part of the body, such as `at('data', 0, 'id')`: text unless said otherwise. */
  at<T = string>(...path: (string | number)[]): T;
}

export type Send = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string | undefined>,
) => Promise<Answer>;

export interface BootedApi {
  readonly running: RunningApp;
  readonly workspace: string;
  readonly key: string;
  /** Calls with the first workspace's key unless `headers` say otherwise. Paths are below `/api/v1`, or absolute with `//`. */
  readonly send: Send;
  /** The same with another key. */
  as(key: string): Send;
  close(): Promise<void>;
}

/** A real api on a free port, over a database of its own: for tests over HTTP. `databaseUrl` makes it one more process's api on the same. */
export async function bootApi(
  options: { databaseUrl?: string; secretKey?: string; views?: boolean; env?: Record<string, string> } = {},
): Promise<BootedApi> {
  const database = options.databaseUrl ? undefined : await testDatabase();
  const url = options.databaseUrl ?? database!.url;
  const secretKey = options.secretKey ?? Buffer.alloc(32, 7).toString('base64');
  const settings = loadSettings({
    POSTLEDGER_MODE: 'sandbox',
    PORT: '0',
    LOG_LEVEL: 'error',
    DATABASE_URL: url,
    POSTLEDGER_SECRET_KEY: secretKey,
    ...options.env,
  });
  const running = await startApp(
    { name: 'api', port: 0, modules: (engines) => [ApiModule.forRoot(engines)], configure: configureApi },
    settings,
  );
  const key = `test_${randomBytes(12).toString('hex')}`;
  const { workspaceId } = await ensureFirstWorkspace(running.engines, {
    apiKey: options.env?.['POSTLEDGER_API_KEY'] ?? key,
  });
  const as = (bearer: string): Send =>
    sender(
      running.url,
      options.env?.['POSTLEDGER_API_KEY'] && bearer === key ? options.env['POSTLEDGER_API_KEY'] : bearer,
      options.views ? PATIENCE : {},
    );
  const views = options.views ? await projectViews(running.engines) : undefined;
  return {
    running,
    workspace: workspaceId,
    key: options.env?.['POSTLEDGER_API_KEY'] ?? key,
    send: as(key),
    as,
    async close() {
      await views?.stop();
      await running.stop();
      await database?.drop();
    },
  };
}

let judge: Judge | undefined;

/** Where views are told, reads may wait so long for what was written just before: a second would do on a machine that has nothing else to do. */
const PATIENCE = { prefer: 'wait=20' };

/** A client of one base URL and one key. A body that is text or bytes is sent as it is; `ofReads` are headers of every GET. Rejects an answer that is not as the reference describes it. */
export const sender =
  (base: string, key: string, ofReads: Record<string, string> = {}): Send =>
  (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const payload =
        body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
      const given = {
        authorization: `Bearer ${key}`,
        ...(payload !== undefined && { 'content-type': 'application/json' }),
        ...(method === 'GET' && ofReads),
        ...headers,
      };
      const request = httpRequest(
        path.startsWith('//') ? base + path.slice(1) : `${base}/api/v1${path}`,
        { method, headers: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const isJson = /\/(problem\+)?json/.test(response.headers['content-type'] ?? '') && text !== '';
            const body: unknown = isJson ? JSON.parse(text) : undefined;
            const at = <T>(...path: (string | number)[]) =>
              path.reduce<unknown>((value, name) => (value as Record<string | number, unknown>)[name], body) as T;
            const status = response.statusCode!;
            const [mediaType = ''] = (response.headers['content-type'] ?? '').split(';');
            const { etag } = response.headers;
            const fault = (judge ??= judgeByReference())({ method, path: request.path, status, mediaType, etag, body });
            if (fault)
              return reject(new Error(`${method} ${path} is not answered as docs/reference says: ${fault}\n${text}`));
            resolve({ status, headers: response.headers as Record<string, string>, text, body, at });
          });
        },
      );
      request.on('error', reject);
      request.end(payload);
    });
