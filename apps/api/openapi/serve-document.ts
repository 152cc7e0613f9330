import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { apiDocument } from './document';
import { problem } from '../http/problem';
import { refuse } from '../http/hooks';

/** The viewer's files, by the names the page asks for. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

const START = `window.ui = SwaggerUIBundle({ url: '/docs-json', dom_id: '#ui', deepLinking: true, persistAuthorization: false });`;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>Postledger API</title><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>
`;

/** Nothing comes from elsewhere; the viewer styles itself inline. */
const POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/** The document at `/docs-json`, and a page of it at `/docs`; both are made at the first call. */
export function serveDocument(app: NestFastifyApplication, server: FastifyInstance): void {
  let document: Promise<string> | undefined;
  const made = async () => JSON.stringify(await apiDocument(app));
  server.get('/docs-json', async (_, reply) =>
    reply.type('application/json; charset=utf-8').send(await (document ??= made())),
  );
  for (const path of ['/docs', '/docs/'])
    server.get(path, (_, reply) =>
      reply.type('text/html; charset=utf-8').header('content-security-policy', POLICY).send(PAGE),
    );
  server.get('/docs/start.js', (_, reply) => reply.type('text/javascript; charset=utf-8').send(START));
  server.get<{ Params: { file: string } }>('/docs/:file', async ({ params: { file } }, reply) => {
    const type = Object.hasOwn(ASSETS, file) ? ASSETS[file] : undefined;
    if (!type) return refuse(reply, problem('ROUTE_NOT_FOUND'));
    return reply
      .type(type)
      .header('cache-control', 'public, max-age=86400')
      .send(await readFile(join(viewerFolder(), file)));
  });
}

/** The viewer comes with @nestjs/swagger, wherever npm put it. */
const viewerFolder = (): string =>
  dirname(
    require.resolve('swagger-ui-dist/package.json', {
      paths: [dirname(require.resolve('@nestjs/swagger/package.json')), __dirname],
    }),
  );
