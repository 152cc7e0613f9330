/**
 * What kind of no an error is. The HTTP edge maps it to a status, in one place:
 * `invalid` 400 · `not-found` 404 · `conflict` 409 · `stale` 412 · `refused` 422.
 */
export type ErrorKind = 'invalid' | 'not-found' | 'conflict' | 'stale' | 'refused';

/** One entry of an error catalogue: `[kind, one sentence for people]`. */
export type ErrorCatalogue = Readonly<Record<string, readonly [kind: ErrorKind, title: string]>>;

/** A refusal by the domain. `code` is stable and public; `detail` is for people and never holds a secret. */
export class DomainError extends Error {
  constructor(
    readonly code: string,
    readonly kind: ErrorKind,
    readonly title: string,
    readonly detail: string = title,
    /** Further members of the problem document, such as the list of known types. */
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(`${code}: ${detail}`);
    this.name = 'DomainError';
  }
}

/** The errors of one context, each made by its code: `const fail = errorsOf(postErrors); throw fail('POST_NOT_FOUND')`. */
export function errorsOf<C extends ErrorCatalogue>(catalogue: C) {
  return (code: keyof C & string, detail?: string, extra?: Record<string, unknown>): DomainError => {
    const [kind, title] = catalogue[code]!;
    return new DomainError(code, kind, title, detail ?? title, extra);
  };
}

/** Throws the catalogue's error `code` unless `condition` holds. */
export function ensureOf<C extends ErrorCatalogue>(catalogue: C) {
  const fail = errorsOf(catalogue);
  return function ensure(condition: unknown, code: keyof C & string, detail?: string): asserts condition {
    if (!condition) throw fail(code, detail);
  };
}
