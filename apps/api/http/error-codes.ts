import { catalogues } from './error-catalogues';
import { edgeErrors, STATUS_OF } from './problem';

/** What a refusal looks like from outside. */
export interface ErrorCode {
  readonly status: number;
  readonly title: string;
}

/** Every code the api can answer with. */
export const errorCodes: ReadonlyMap<string, ErrorCode> = new Map([
  ...Object.values(catalogues).flatMap((catalogue) =>
    Object.entries(catalogue).map(([code, [kind, title]]) => [code, { status: STATUS_OF[kind], title }] as const),
  ),
  ...Object.entries(edgeErrors).map(([code, [status, title]]) => [code, { status, title }] as const),
]);
