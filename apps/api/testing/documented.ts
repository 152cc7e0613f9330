import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import addFormats from 'ajv-formats';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';

interface Described {
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}

/** What of an OpenAPI document is looked at here. */
export interface Documented {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, Described>> }>>>
  >;
  readonly components: object;
}

/** An answer as it came; `body` is of JSON alone. */
export interface Answered {
  readonly method: string;
  /** From the root, with its query. */
  readonly path: string;
  readonly status: number;
  readonly mediaType: string;
  /** Its header, where it came with one. */
  readonly etag?: string | undefined;
  readonly body: unknown;
}

/** Says in what an answer is not as the document describes it; undefined when it is. */
export type Judge = (answered: Answered) => string | undefined;

const REFERENCE = join(__dirname, '../../../docs/reference/openapi.json');
const BASE = 'https://postledger.invalid/openapi';
/** Said before there is a route, or because there is none: no route describes them. */
const OF_NO_ROUTE = ['ROUTE_NOT_FOUND', 'URI_TOO_LONG', 'HEADERS_TOO_LARGE', 'REQUEST_TIMEOUT'];

/** By the reference that is checked in, which a test holds to the code. */
export const judgeByReference = (): Judge => judgeBy(JSON.parse(readFileSync(REFERENCE, 'utf8')) as Documented);

/** Holds answers of documented routes against an OpenAPI 3.1 document: status, ETag, media type and, of JSON, every field. */
export function judgeBy({ paths, components }: Documented): Judge {
  const ajv = addFormats(new Ajv2020({ strict: false, allErrors: true }));
  ajv.addSchema({ $id: BASE, components });
  const known = new Map<object, ValidateFunction>();
  const faultOf = (schema: object, body: unknown): string | undefined => {
    let validate = known.get(schema);
    if (!validate) {
      const absolute = JSON.stringify(schema).replaceAll('"#/components/', `"${BASE}#/components/`);
      known.set(schema, (validate = ajv.compile(JSON.parse(absolute) as object)));
    }
    return validate(body) ? undefined : ajv.errorsText(validate.errors);
  };
  const routes = Object.entries(paths)
    .map(([path, operations]) => ({ path, operations, form: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`) }))
    // A path that is spelled out goes before one with a name in its place.
    .sort((one, other) => one.path.split('{').length - other.path.split('{').length);

  return ({ method, path, status, mediaType, etag, body }) => {
    const [bare = ''] = path.split('?');
    const operation = routes.find(({ form }) => form.test(bare))?.operations[method.toLowerCase()];
    if (!operation || OF_NO_ROUTE.includes((body as { code?: string } | undefined)?.code ?? '')) return undefined;
    const described = operation.responses[status];
    if (!described) return `${status} is not described`;
    if (etag !== undefined && !described.headers?.['ETag']) return `${status} is not described with an ETag`;
    const content = described.content?.[mediaType];
    if (!content)
      return mediaType === '' && !described.content ? undefined : `${status} is not described as ${mediaType}`;
    return /[/+]json$/.test(mediaType) ? faultOf(content.schema, body) : undefined;
  };
}
