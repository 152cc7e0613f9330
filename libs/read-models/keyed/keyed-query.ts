import { cutToSize, planned, type Workspaces } from '#postgres';
import { positionBefore } from '../audit/position-before';
import { pageOf, positionOf, type Page, type PageOptions } from './cursor';
import { element, listsOf, streamRevisionOf } from './keyed-table';
import type { Filter, KeyedView } from './keyed-view';

/** A thing as the view has it. */
export interface Found<S, Shown> {
  readonly view: Shown;
  readonly state: S;
  readonly revision: number;
  /** Of the newest event in it. */
  readonly position: number;
}

/** A thing that was asked for by its id. */
export interface FoundById<S, Shown> extends Found<S, Shown> {
  /** Of its newest event in its stream, which it may share with others. */
  readonly streamRevision: number;
}

interface StoredRow {
  readonly id: string;
  readonly revision: number;
  readonly position: number;
  readonly created_position: number;
  readonly state: string;
}

const COLUMNS = 'id, revision, position, created_position, state';

/** A filter and what is asked of it. */
interface Given {
  readonly filter: Filter;
  readonly value: string;
}

/** Whether a time is asked for that is both after and before another. */
const isEmptyRange = (given: readonly Given[]): boolean =>
  given.some(({ filter: { column, how }, value }) =>
    how !== 'from'
      ? false
      : given.some(({ filter, value: to }) => filter.how === 'to' && filter.column === column && value >= to),
  );

/** Reads a keyed view. Nothing of another workspace is ever found. */
export class KeyedQuery<S extends object, Shown extends object> {
  constructor(
    private readonly db: Workspaces,
    readonly view: KeyedView<S, Shown>,
  ) {}

  /** Also a thing that is deleted: its state says so. */
  async get(workspace: string, id: string): Promise<FoundById<S, Shown> | undefined> {
    const columns = `${COLUMNS}, ${streamRevisionOf(this.view)}`;
    const [row] = await this.db
      .inWorkspace(workspace)
      .query<StoredRow & { stream_revision: number }>(
        `select ${columns} from read.${this.view.name} where workspace = $1 and id = $2`,
        [workspace, id],
      );
    return row && { ...this.found(row), streamRevision: row.stream_revision };
  }

  /** Newest first. `filters` by the names the view declares; those that are undefined do not count. */
  async list(
    workspace: string,
    filters: Readonly<Record<string, string | undefined>>,
    options: PageOptions,
  ): Promise<Page<Found<S, Shown>>> {
    const params: unknown[] = [workspace, options.limit + 1];
    const given = Object.entries(filters).flatMap(([name, value]) => {
      const filter = this.view.filters[name];
      if (!filter) throw new Error(`View ${this.view.name} has no filter ${name}`);
      return value === undefined ? [] : [{ filter, value }];
    });
    const where = given.map(({ filter, value }) => {
      params.push(filter.how === 'has' ? [element(workspace, value)] : value);
      return conditionOf(filter, params.length);
    });
    if (isEmptyRange(given)) return { data: [], nextCursor: null };
    const end = Math.min(
      options.cursor === undefined ? Infinity : positionOf(options.cursor),
      await this.newest(workspace, given),
    );
    const place = [
      'workspace = $1',
      'not gone',
      ...(end === Infinity ? [] : [`created_position < $${params.push(end)}`]),
    ];
    const ofList = given.find(({ filter }) => filter.how === 'has');
    const view = `read.${ofList ? listsOf(this.view.name) : this.view.name}`;
    const all =
      ofList && given.length === 1
        ? pageOfElement(view, ofList.filter.column, place, where[0]!)
        : `select ${COLUMNS} from ${view} where ${[...place, ...where].join(' and ')} order by created_position desc limit $2`;
    const page = cutToSize(all, 'octet_length(r.state)');
    const text = `select ${COLUMNS}, is_cut from ${page} r order by created_position desc`;
    // One index serves one column whatever its value; else it depends on the values which of them finds fewer rows.
    const isPlain = given.length === 0 || (given.length === 1 && given[0]!.filter.how === 'is');
    const rows = await this.db
      .inWorkspace(workspace)
      .query<StoredRow & { is_cut: boolean }>(isPlain ? text : planned(text), params);
    return pageOf(
      rows,
      options.limit,
      (row) => row.created_position,
      (row) => this.found(row),
    );
  }

  /** Above everything that can match. */
  private async newest(workspace: string, given: readonly Given[]): Promise<number> {
    const found = given.find(({ filter }) => filter.how === 'to' && filter.madeWithinMs !== undefined);
    return (
      (found &&
        (await positionBefore(this.db.inWorkspace(workspace), workspace, found.value, found.filter.madeWithinMs!))) ??
      Infinity
    );
  }

  private found({ id, revision, position, state: text }: StoredRow): Found<S, Shown> {
    const state = JSON.parse(text) as S;
    return { view: this.view.present(state, id), state, revision, position };
  }
}

/** The newest that are looked through for an element before all that have it are asked for. */
const NEWEST = 2_000;

/**
 * An element is either common, and a page of it is among the newest, or rare, and all that have it are few. Which it is nobody knows before:
 * of what is rarer than its statistics PostgreSQL believes that it is not. The second part is begun only where the first does not fill the page.
 */
const pageOfElement = (view: string, column: string, place: readonly string[], condition: string): string =>
  `with newest as materialized (
    select ${COLUMNS}, ${column} from ${view} where ${place.join(' and ')} order by created_position desc limit ${NEWEST}
  ) (select ${COLUMNS} from newest where ${condition})
  union all (
    select ${COLUMNS} from ${view} where ${[...place, condition].join(' and ')} and created_position < (select min(created_position) from newest)
    order by created_position + 0 desc limit $2
  ) limit $2`;

function conditionOf({ column, how }: Filter, param: number): string {
  switch (how) {
    case 'is':
      return `${column} = $${param}`;
    case 'has':
      return `${column} @> $${param}::text[]`;
    case 'from':
      return `${column} >= $${param}`;
    case 'to':
      return `${column} < $${param}`;
  }
}
