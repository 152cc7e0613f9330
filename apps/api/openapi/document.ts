import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { openApiWebhooks } from '#webhook-contracts';
import { PREFIX } from '../http/routes';
import { answerExample } from './answer-examples';
import { bodyExamples } from './body-examples';
import { errorResponses, parametersOf, responseHeaders, sharedComponents, type Operation } from './conventions';
import { swaggerOfAll } from './documented';
import { answerSchemas } from './schema';
import { withoutAKey } from './without-a-key';

type Json = Record<string, unknown>;
type Paths = Record<string, Record<string, Operation>>;

const VERSION = '1.0.0';
const DESCRIPTION = `Commands in, events kept, signed webhooks out.

Errors are RFC 9457 problems with a stable \`code\`. Every POST, PATCH and DELETE takes an \`Idempotency-Key\`. Writes and GETs by id answer with an \`ETag\`,
the thing's revision; writes take \`If-Match\`. Lists are newest first, in pages of up to 200.`;

/** The OpenAPI 3.1 document of the running routes, and of every webhook. The same for every process, whatever else it serves. */
export async function apiDocument(app: NestFastifyApplication): Promise<Json> {
  const { DocumentBuilder, SwaggerModule } = await swaggerOfAll();
  const config = new DocumentBuilder()
    .setTitle('Postledger')
    .setDescription(DESCRIPTION)
    .setVersion(VERSION)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .setOpenAPIVersion('3.1.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An API key; its scopes say what it may do' })
    .build();
  const { paths, components, ...document } = JSON.parse(
    JSON.stringify(SwaggerModule.createDocument(app, config)),
  ) as Json & { paths: Paths; components: { schemas: Record<string, Json>; securitySchemes: Json } };
  const shared = sharedComponents();
  return {
    ...document,
    tags: [],
    servers: [{ url: '/' }],
    paths: Object.fromEntries(
      Object.entries(paths)
        .filter(isOurs)
        .map(([path, operations]) => [path, described(path, operations)]),
    ),
    components: {
      ...shared,
      securitySchemes: components.securitySchemes,
      schemas: {
        ...Object.fromEntries(
          Object.entries(components.schemas).map(([name, schema]) => [
            name,
            { ...schema, additionalProperties: false },
          ]),
        ),
        ...Object.fromEntries(answerSchemas().map(({ name, schema }) => [name, schema])),
        ...shared.schemas,
      },
    },
    webhooks: openApiWebhooks(),
  };
}

const isOurs = ([path]: [string, unknown]): boolean =>
  path.startsWith(`/${PREFIX}/`) || path.startsWith('/health/') || path === '/metrics';

const described = (path: string, operations: Record<string, Operation>): Json =>
  Object.fromEntries(
    Object.entries(operations).map(([method, operation]) => [
      method,
      path.startsWith(`/${PREFIX}/`) ? route(operation) : open(path, operation),
    ]),
  );

/** A route of the api, with what every one of its kind takes and answers beside its own. */
function route(operation: Operation): Json {
  const {
    'x-errors': codes = [],
    'x-kind': kind,
    'x-tagged': tagged = false,
    responses,
    parameters = [],
    requestBody,
    ...rest
  } = operation;
  const success = Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      { ...withExample(response, answerExample), headers: responseHeaders(tagged) },
    ]),
  );
  const operationId = rest.operationId
    .replace(/Controller_(.)/, (_, first: string) => first.toUpperCase())
    .replace(/^./, (first) => first.toLowerCase());
  return {
    ...rest,
    operationId,
    parameters: [...parameters, ...parametersOf(kind ?? 'read', tagged)],
    ...(requestBody && { requestBody: withExample(requestBody, () => bodyExamples[operationId]) }),
    responses: { ...success, ...errorResponses(codes, kind ?? 'read', tagged) },
  };
}

const withExample = ({ content, ...rest }: Json, exampleOf: (schema: Json) => unknown): Json => ({
  ...rest,
  ...(content !== undefined && {
    content: Object.fromEntries(
      Object.entries(content as Record<string, { schema: Json }>).map(([type, of]) => [
        type,
        type === 'application/json' ? { ...of, example: exampleOf(of.schema) } : of,
      ]),
    ),
  }),
});

/** Health and metrics need no key. */
const open = (path: string, operation: Operation): Json => ({
  ...operation,
  ...withoutAKey[path],
  security: [],
  tags: ['Operations'],
});
