import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { PlatformModule, type Engines } from '#platform';
import { ApiModule } from '../api.module';
import { apiDocument } from './document';

/** docs/reference/openapi.json: the document of `/docs-json`, without a running process. */
export async function openApiText(): Promise<string> {
  // A preview makes no instances, so the engines are never asked for anything.
  const engines = {} as Engines;
  const root = { module: class Described {}, imports: [PlatformModule.forRoot(engines), ApiModule.forRoot(engines)] };
  const app = await NestFactory.create<NestFastifyApplication>(root, new FastifyAdapter(), {
    preview: true,
    logger: false,
  });
  return `${JSON.stringify(await apiDocument(app), undefined, 1)}\n`;
}
