import 'reflect-metadata';
import { request, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DashboardModule } from './dashboard.module';

describe('the files of the dashboard', () => {
  let app: NestFastifyApplication;
  /** As the client sends it: no path is tidied up, nothing is unpacked. */
  const get = (path: string, headers: Record<string, string> = {}) =>
    new Promise<{ statusCode: number; headers: IncomingHttpHeaders; body: string; bytes: number }>((done, fail) => {
      const { port } = app.getHttpServer().address() as AddressInfo;
      request({ host: '127.0.0.1', port, path, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const bytes = Buffer.concat(chunks);
          done({
            statusCode: answer.statusCode!,
            headers: answer.headers,
            body: bytes.toString(),
            bytes: bytes.length,
          });
        });
      })
        .on('error', fail)
        .end();
    });

  beforeAll(async () => {
    app = await NestFactory.create<NestFastifyApplication>(DashboardModule, new FastifyAdapter(), {
      logger: false,
      abortOnError: false,
    });
    await app.listen(0, '127.0.0.1');
  });
  afterAll(() => app.close());

  it.each(['/', '/dashboard', '/dashboard/', '/dashboard/index.html'])('has the page at %s', async (path) => {
    const answer = await get(path);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    expect(answer.body).toContain('<title>Postledger</title>');
  });

  it('has every module that the page asks for', async () => {
    const queue = ['/dashboard/main.js', '/dashboard/styles.css', '/dashboard/icon.svg'];
    const seen = new Set(queue);
    for (let path = queue.shift(); path; path = queue.shift()) {
      const answer = await get(path);
      expect([path, answer.statusCode]).toEqual([path, 200]);
      if (path.endsWith('.js')) expect(answer.headers['content-type']).toBe('text/javascript; charset=utf-8');
      for (const [, imported] of answer.body.matchAll(/from '(\.[^']+)'/g)) {
        const next = new URL(imported!, `http://page${path}`).pathname;
        if (!seen.has(next)) queue.push(next);
        seen.add(next);
      }
    }
    expect(seen.size).toBeGreaterThan(10);
  });

  it('asks nothing of another host, and holds no script or style inline', async () => {
    const { body } = await get('/');
    expect(body).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(body).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*src=)/);
  });

  it('is not sent again when it has not changed, and travels packed', async () => {
    const first = await get('/dashboard/main.js', { 'accept-encoding': 'gzip, br' });
    expect(first.headers['content-encoding']).toBe('gzip');
    expect(first.bytes).toBeLessThan((await get('/dashboard/main.js')).bytes);
    const unpacked = await get('/dashboard/main.js', { 'accept-encoding': 'br, gzip;q=0' });
    expect(unpacked.headers['content-encoding']).toBeUndefined();
    const again = await get('/dashboard/main.js', { 'if-none-match': first.headers.etag! });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  it.each([
    '/dashboard/dashboard.module.js',
    '/dashboard/../dashboard.module.ts',
    '/dashboard/%2e%2e/page-files.ts',
    '/dashboard/views',
  ])('gives out nothing else: %s', async (path) => {
    expect((await get(path)).statusCode).toBe(404);
  });
});
