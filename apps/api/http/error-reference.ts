import type { ErrorCatalogue } from '#kernel';
import { catalogues } from './error-catalogues';
import { edgeErrors, STATUS_OF } from './problem';

const table = (rows: readonly (readonly [code: string, status: number, title: string])[]): string =>
  [
    '| code | status | means |',
    '|---|---|---|',
    ...rows.map(([code, status, title]) => `| \`${code}\` | ${status} | ${title} |`),
  ].join('\n');

const rowsOf = (catalogue: ErrorCatalogue) =>
  Object.entries(catalogue).map(([code, [kind, title]]) => [code, STATUS_OF[kind], title] as const);

/** docs/reference/errors.md: every `code` that an answer of the API can carry. */
export const errorReference = (): string =>
  [
    '# Errors',
    'Generated from the code (`npm run docs`). An error is `application/problem+json` (RFC 9457); its `code` is stable, its `detail` is for people.',
    '## Any request',
    table(Object.entries(edgeErrors).map(([code, [status, title]]) => [code, status, title])),
    ...Object.entries(catalogues).flatMap(([noun, catalogue]) => [`## ${noun}`, table(rowsOf(catalogue))]),
  ].join('\n\n') + '\n';
