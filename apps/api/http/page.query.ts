import { Pattern, WholeText } from './fields';

/** Most entries a page may hold. */
export const MAX_LIMIT = 200;
export const DEFAULT_LIMIT = 50;
export const CURSOR = /^[A-Za-z0-9_-]{1,600}$/;

/** What every list takes. */
export class PageQuery {
  @WholeText({ optional: true, min: 1, max: MAX_LIMIT, description: 'Most entries in this page' })
  limit?: number;

  @Pattern(CURSOR, 'a cursor that a list gave', {
    optional: true,
    description: 'Where the page before ended',
  })
  cursor?: string;
}

/** Revisions are 32-bit integers in the read models. */
const MAX_REVISION = 2_147_483_647;

/** What every GET by id takes. */
export class RevisionQuery {
  @WholeText({ optional: true, max: MAX_REVISION, description: 'Waits until the read model has seen this revision' })
  minRevision?: number;
}
