import type { Workspaces } from '#postgres';
import { pageOf, positionOf, type Page, type PageOptions } from './cursor';
import { element, listsOf } from './keyed-table';
import type { Filter, KeyedView } from './keyed-view';

/** A thing as the view has it. */
export interface Found<S, Shown> {
  readonly view: Shown;
  readonly state: S;
  readonly revision: number;
  /** Of the newest event in it. */
  readonly position: number;
}

interface StoredRow {
  readonly id: string;
  readonly revision: number;
  readonly position: number;
  readonly created_position: number;
  readonly state: string;
}

/** Reads a keyed view. Nothing of another workspace is ever found. */
export class KeyedQuery<S extends object, Shown extends object> {
  constructor(
    private readonly db: Workspaces,
    readonly view: KeyedView<S, Shown>,
  ) {}

  async get(workspace: string, id: string): Promise<Found<S, Shown> | undefined> {
    const [row] = await this.db
      .inWorkspace(workspace)
      .query<StoredRow>(
        `select id, revision, position, created_position, state from read.${this.view.name} where workspace = $1 and id = $2 and not gone`,
        [workspace, id],
      );
    return row && this.found(row);
  }

  /** Newest first. `filters` by the names the view declares; those that are undefined do not count. */
  async list(
    workspace: string,
    filters: Readonly<Record<string, string | undefined>>,
    options: PageOptions,
  ): Promise<Page<Shown>> {
    const params: unknown[] = [workspace, options.limit + 1];
    const where = Object.entries(filters).flatMap(([name, value]) => {
      if (value === undefined) return [];
      const filter = this.view.filters[name];
      if (!filter) throw new Error(`View ${this.view.name} has no filter ${name}`);
      params.push(filter.how === 'has' ? [element(workspace, value)] : value);
      return [conditionOf(filter, params.length)];
    });
    if (options.cursor !== undefined) {
      params.push(positionOf(options.cursor));
      where.push(`created_position < $${params.length}`);
    }
    const isOfList = Object.keys(filters).some(
      (name) => filters[name] !== undefined && this.view.filters[name]?.how === 'has',
    );
    const rows = await this.db.inWorkspace(workspace).query<StoredRow>(
      `select id, revision, position, created_position, state from read.${isOfList ? listsOf(this.view.name) : this.view.name}
        where ${['workspace = $1', 'not gone', ...where].join(' and ')} order by created_position desc limit $2`,
      params,
    );
    return pageOf(
      rows,
      options.limit,
      (row) => row.created_position,
      (row) => this.found(row).view,
    );
  }

  private found({ id, revision, position, state: text }: StoredRow): Found<S, Shown> {
    const state = JSON.parse(text) as S;
    return { view: this.view.present(state, id), state, revision, position };
  }
}

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
