import { applyDecorators, Controller, Delete, Get, HttpCode, Patch, Post } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { documented } from '../openapi/documented';
import type { AnswerSchema } from '../openapi/schema';
import type { RouteContract } from './caller';
import type { Dto } from './readings';
import { keepsRules } from './rules';
import type { Scope } from './scopes';

export const PREFIX = 'api/v1';

/** A noun of the api under `/api/v1`. */
export const ApiController = (path: string, tag: string): ClassDecorator =>
  applyDecorators(
    Controller(path ? `${PREFIX}/${path}` : PREFIX),
    documented(({ ApiTags, ApiBearerAuth }) => applyDecorators(ApiTags(tag), ApiBearerAuth())),
  );

export interface RouteOptions {
  readonly scope: Scope;
  /** One line for the reference. */
  readonly summary: string;
  readonly description?: string;
  readonly answer?: AnswerSchema;
  /** Media types other than JSON, by name. */
  readonly produces?: readonly string[];
  /** Codes beside those that every route may give. */
  readonly errors?: readonly string[];
  readonly query?: Dto;
  /** It answers with the ETag of a thing; a write that does so heeds `If-Match`. */
  readonly tagged?: boolean;
}

export interface WriteOptions extends RouteOptions {
  readonly method?: 'POST' | 'PATCH' | 'DELETE';
  readonly body?: Dto;
  readonly gives?: RouteContract['gives'];
  /** 200 unless said otherwise. */
  readonly status?: 200 | 201 | 202 | 204;
}

/** A GET: what it needs, what it takes, what it answers. The hooks check it and the reference is made of it. */
export const Read = (path: string, options: RouteOptions): MethodDecorator =>
  applyDecorators(Get(path), described(options, 200, 'read'));

/** A command: the same, with a body, and all that Idempotency-Key promises. */
export const Write = (path: string, { method = 'POST', status = 200, ...options }: WriteOptions): MethodDecorator =>
  applyDecorators(VERBS[method](path), HttpCode(status), described(options, status, 'write'));

const VERBS = { POST: Post, PATCH: Patch, DELETE: Delete } as const;

function described(
  options: Omit<WriteOptions, 'method' | 'status'>,
  status: number,
  kind: 'read' | 'write',
): MethodDecorator {
  const { scope, summary, description, answer, produces, errors = [], body, gives, query, tagged } = options;
  const absent = errors.filter((code) => code.endsWith('_NOT_FOUND'));
  const contract: RouteContract = {
    scope,
    absent,
    ...(body && { body }),
    ...(gives && { gives }),
    ...(query && { query }),
  };
  const content = answer && (produces ?? ['application/json']).map((type) => [type, { schema: answer.reference }]);
  return applyDecorators(
    RouteConfig({ api: contract }),
    documented(({ ApiOperation, ApiResponse, ApiExtension, ApiBody }) =>
      applyDecorators(
        ApiOperation({ summary, ...(description && { description }) }),
        ApiResponse({
          status,
          description: answer?.description ?? 'Done',
          ...(content && { content: Object.fromEntries(content) as never }),
        }),
        ApiExtension('x-scope', scope),
        ApiExtension('x-kind', kind),
        ApiExtension('x-tagged', tagged ?? false),
        ApiExtension('x-errors', errors),
        // What may be left empty may be left out.
        ...(body ? [ApiBody({ type: body, required: !keepsRules(new body()) })] : []),
      ),
    ),
  );
}
