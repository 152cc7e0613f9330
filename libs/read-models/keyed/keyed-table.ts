import { NO_STREAM, type RecordedEvent } from '#event-store';
import { plainArray, type Sql, type Write } from '#postgres';
import { firstDifference, type Difference } from './first-difference';
import { revisionAfter, type Column, type KeyedView } from './keyed-view';

/** A row as it is held in memory between two batches. */
interface Row<S> {
  readonly workspace: string;
  readonly id: string;
  revision: number;
  streamRevision: number;
  position: number;
  readonly createdPosition: number;
  state: S;
  /** Characters of the state as it is written. */
  size: number;
}

interface StoredRow {
  readonly workspace: string;
  readonly id: string;
  readonly revision: number;
  readonly stream_revision: number;
  readonly position: number;
  readonly created_position: number;
  readonly state: string;
}

const REMEMBERED = { count: 20_000, size: 32_000_000 };

/** Between the elements of a list on their way into the database; no element holds it. */
const SEPARATOR = '\x1f';

/** One build of a keyed view: its table, and how events get into it. Used by the one process that leads the view. */
export class KeyedTable<S extends object> {
  private readonly rows = new Map<string, Row<S>>();
  /** Of all rows. */
  private size = 0;
  private readonly upsert: string;

  constructor(
    private readonly view: KeyedView<S>,
    readonly table: string,
  ) {
    this.upsert = upsertOf(view, table);
  }

  async prepare(sql: Sql): Promise<void> {
    await sql.script(`${tableOf(this.view, this.table)}; select tenancy.lock_table('${this.table}')`);
  }

  /** What readers need and a build that nobody reads yet does better without; a statement each. */
  get indexes(): readonly string[] {
    return indexesOf(this.view, this.table);
  }

  async publish(sql: Sql): Promise<void> {
    await sql.script(viewsOf(this.view, this.table));
  }

  async drop(sql: Sql): Promise<void> {
    await sql.script(`drop table if exists ${this.table}`);
  }

  /** Loads the rows that the events touch, in one query, and folds in memory: what is to be written, of all rows at once. */
  async changes(sql: Sql, events: readonly RecordedEvent[]): Promise<Write[]> {
    await this.load(sql, this.missing(events));
    const touched = new Set<Row<S>>();
    for (const event of events) {
      const { workspace } = event.metadata;
      for (const id of this.view.keys(event)) touched.add(this.fold(workspace, id, event));
    }
    if (touched.size === 0) return [];
    const write = { text: this.upsert, params: this.values([...touched]) };
    this.trim(touched);
    return [write];
  }

  /** The first row, by its newest event, that is not the same in `other`. */
  firstDifference(sql: Sql, other: string): Promise<Difference | undefined> {
    return firstDifference(sql, { expected: this.table, actual: other, key: ['workspace', 'id'] });
  }

  forget(): void {
    this.rows.clear();
    this.size = 0;
  }

  private fold(workspace: string, id: string, event: RecordedEvent): Row<S> {
    const key = `${workspace}:${id}`;
    const before = this.rows.get(key);
    const state = this.view.evolve(before?.state, event, id, (other) => this.rows.get(`${workspace}:${other}`)?.state);
    const { revision: streamRevision, position } = event;
    const revision = revisionAfter(this.view, before?.revision ?? NO_STREAM, event);
    if (before) return Object.assign(before, { state, revision, streamRevision, position });
    const row = { workspace, id, revision, streamRevision, position, createdPosition: position, state, size: 0 };
    this.rows.set(key, row);
    return row;
  }

  /** Rows that may exist but are not in memory; the first event of a stream has none. */
  private missing(events: readonly RecordedEvent[]): { workspace: string; id: string }[] {
    const missing = new Map<string, { workspace: string; id: string }>();
    const fresh = new Set<string>();
    for (const event of events) {
      const { workspace } = event.metadata;
      for (const id of this.view.keys(event)) {
        const key = `${workspace}:${id}`;
        if (event.revision === 0) fresh.add(key);
        if (!this.rows.has(key) && !fresh.has(key)) missing.set(key, { workspace, id });
      }
    }
    return [...missing.values()];
  }

  private async load(sql: Sql, keys: readonly { workspace: string; id: string }[]): Promise<void> {
    if (keys.length === 0) return;
    const found = await sql.query<StoredRow>(
      `select t.workspace, t.id, t.revision, ${streamRevisionOf(this.view)}, t.position, t.created_position, t.state
         from unnest($1::text[], $2::text[]) k (workspace, id) join ${this.table} t using (workspace, id)`,
      [keys.map(({ workspace }) => workspace), keys.map(({ id }) => id)],
    );
    for (const row of found) {
      const { workspace, id, revision, position, state: text } = row;
      this.rows.set(`${workspace}:${id}`, {
        workspace,
        id,
        revision,
        streamRevision: row.stream_revision,
        position,
        createdPosition: row.created_position,
        state: JSON.parse(text) as S,
        size: text.length,
      });
      this.size += text.length;
    }
  }

  private values(rows: readonly Row<S>[]): unknown[] {
    return [
      rows.map(({ workspace }) => workspace),
      rows.map(({ id }) => id),
      plainArray(rows.map(({ revision }) => revision)),
      ...(this.view.isDivided ? [plainArray(rows.map(({ streamRevision }) => streamRevision))] : []),
      plainArray(rows.map(({ position }) => position)),
      plainArray(rows.map(({ createdPosition }) => createdPosition)),
      plainArray(rows.map(({ state }) => this.view.isGone?.(state) ?? false)),
      // As lines, for an array of JSON would be full of escapes; JSON text has no line breaks of its own.
      rows.map((row) => this.textOf(row)).join('\n'),
      ...Object.values(this.view.columns).map((column) => rows.map((row) => valueOf(column, row))),
    ];
  }

  private textOf(row: Row<S>): string {
    const text = JSON.stringify(row.state);
    this.size += text.length - row.size;
    row.size = text.length;
    return text;
  }

  /** Keeps the rows touched last, up to a bound. */
  private trim(touched: ReadonlySet<Row<S>>): void {
    for (const row of touched) {
      const key = `${row.workspace}:${row.id}`;
      this.rows.delete(key);
      this.rows.set(key, row);
    }
    for (const [key, { size }] of this.rows) {
      if (this.rows.size <= REMEMBERED.count && this.size <= REMEMBERED.size) return;
      this.rows.delete(key);
      this.size -= size;
    }
  }
}

/** What reads the revision of a row's stream, which is the row's own unless several share one. */
export const streamRevisionOf = ({ isDivided }: Pick<KeyedView, 'isDivided'>): string =>
  `${isDivided ? '' : 'revision as '}stream_revision`;

/** Text is compared byte by byte: nobody sorts by it, and it costs a fraction. */
const TYPES = { text: 'text collate "C"', timestamptz: 'timestamptz', 'text[]': 'text[]' } as const;

/** Elements of lists carry the workspace, so that their index never looks into another. */
export const element = (workspace: string, value: string): string => `${workspace}/${value}`;

function valueOf<S>({ of }: Column<S>, { workspace, state }: Row<S>): string | null {
  const value = of(state);
  return typeof value === 'string' || value === null
    ? value
    : [...new Set(value)].map((one) => element(workspace, one)).join(SEPARATOR);
}

function tableOf<S extends object>({ columns, isDivided }: KeyedView<S>, table: string): string {
  const own = Object.entries(columns).map(([column, { type }]) => `, ${column} ${TYPES[type]}`);
  return `create table if not exists ${table} (
    workspace ${TYPES.text} not null, id ${TYPES.text} not null, revision integer not null,
    ${isDivided ? 'stream_revision integer not null, ' : ''}position bigint not null,
    created_position bigint not null, gone boolean not null, state text not null${own.join('')},
    primary key (workspace, id)) with (fillfactor = 80)`;
}

/** The view for filters by the elements of a list. */
export const listsOf = (view: string): string => `${view}_by_list`;

/**
 * What readers name: the table, with its lock. No index serves a list's operator behind a policy, because it might tell of rows that it
 * was shown; so where lists are filtered there is a second view, which reads as the owner and holds the lock as a condition of its own.
 */
function viewsOf<S extends object>({ name, columns }: KeyedView<S>, table: string): string {
  const views = [
    `drop view if exists read.${name}`,
    `create view read.${name} with (security_invoker = true) as select * from ${table}`,
  ];
  const hasLists = Object.values(columns).some(({ type }) => type === 'text[]');
  if (hasLists)
    views.push(
      `drop view if exists read.${listsOf(name)}`,
      `create view read.${listsOf(name)} as select * from ${table} where tenancy.is_own(workspace)`,
    );
  return views.join(';\n');
}

function indexesOf<S extends object>({ columns }: KeyedView<S>, table: string): readonly string[] {
  const name = table.slice(table.indexOf('.') + 1);
  const own = Object.entries(columns).map(([column, { type }]) =>
    type === 'text[]'
      ? `create index if not exists ${name}_${column} on ${table} using gin (${column})`
      : `create index if not exists ${name}_${column} on ${table} (workspace, ${column}, created_position) where ${column} is not null`,
  );
  return [`create index if not exists ${name}_newest on ${table} (workspace, created_position) where not gone`, ...own];
}

/** The columns of every row in the order in which they are written, with their types. */
const rowOf = ({ isDivided }: Pick<KeyedView, 'isDivided'>): readonly (readonly [column: string, type: string])[] => [
  ['workspace', 'text'],
  ['id', 'text'],
  ['revision', 'integer'],
  ...(isDivided ? [['stream_revision', 'integer'] as const] : []),
  ['position', 'bigint'],
  ['created_position', 'bigint'],
  ['gone', 'boolean'],
  ['state', 'text'],
];

function upsertOf<S extends object>(view: KeyedView<S>, table: string): string {
  const row = rowOf(view);
  const own = Object.entries(view.columns);
  const names = [...row, ...own].map(([column]) => column);
  const types = [...row.map(([, type]) => type), ...own.map(([, { type }]) => (type === 'text[]' ? 'text' : type))];
  const read = [
    ...row.map(([column]) => column),
    ...own.map(([column, { type }]) => (type === 'text[]' ? `string_to_array(${column}, E'\\x1f')` : column)),
  ];
  const param = (type: string, at: number): string =>
    names[at] === 'state' ? `string_to_array($${at + 1}::text, E'\\n')` : `$${at + 1}::${type}[]`;
  const changed = names.filter((column) => !['workspace', 'id', 'created_position'].includes(column));
  return `insert into ${table} (${names.join(', ')})
    select ${read.join(', ')} from unnest(${types.map(param).join(', ')}) as rows (${names.join(', ')}), fence
    on conflict (workspace, id) do update set ${changed.map((column) => `${column} = excluded.${column}`).join(', ')}`;
}
