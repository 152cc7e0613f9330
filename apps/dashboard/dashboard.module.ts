import { Module, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { join } from 'node:path';
import { takesGzip } from '#platform';
import { readPage, type PageFile } from './page-files';

/** Everything comes from this origin; nothing inline, nothing framed, no form that leaves the page. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  vary: 'accept-encoding',
};

/**
 * Serves the page at `/` and its files under `/dashboard/`. The routes go straight to Fastify: they are files, so no prefix,
 * guard or pipe of the api concerns them.
 */
@Module({})
export class DashboardModule implements OnModuleInit {
  constructor(private readonly host: HttpAdapterHost) {}

  onModuleInit(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    const files = readPage(join(__dirname, 'public'));
    const index = files.get('index.html')!;
    for (const path of ['/', '/dashboard', '/dashboard/'])
      fastify.get(path, (request, reply) => answer(index, request, reply));
    for (const [name, file] of files)
      fastify.get(`/dashboard/${name}`, (request, reply) => answer(file, request, reply));
  }
}

function answer({ type, etag, plain, gzip }: PageFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({ ...HEADERS, etag, 'cache-control': 'no-cache' });
  if (request.headers['if-none-match'] === etag) return reply.status(304).send();
  reply.header('content-type', type);
  return takesGzip(request.headers) ? reply.header('content-encoding', 'gzip').send(gzip) : reply.send(plain);
}
