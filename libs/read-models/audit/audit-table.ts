import type { RecordedEvent } from '#event-store';
import { arrayOrNull, plainArray, type Sql, type Write } from '#postgres';
import { firstDifference, type Difference } from '../keyed/first-difference';
import { beginning, link, type ChainHead } from './audit-chain';

interface Head extends ChainHead {
  readonly workspace: string;
}

const REMEMBERED = 10_000;

/** One build of the audit log: append-only, one row an event, chained per workspace. */
export class AuditTable {
  /** Nothing reads what is written, and an event's row is never written again. */
  readonly isAppended = true;
  private heads = new Map<string, Head>();
  /** The heads that the newest changes have moved: they may not be in the table yet. */
  private moved: ReadonlySet<Head> = new Set();

  /** `version` names its chain's heads; `remembered` is how many of them need no look into the database. */
  constructor(
    readonly version: number,
    readonly table: string,
    private readonly remembered = REMEMBERED,
  ) {}

  async prepare(sql: Sql): Promise<void> {
    await sql.script(`${tableOf(this.table)}; select tenancy.lock_table('${this.table}')`);
  }

  /** What readers need and a build that nobody reads yet does better without; a statement each. */
  get indexes(): readonly string[] {
    return indexesOf(this.table);
  }

  async publish(sql: Sql): Promise<void> {
    await sql.script(`drop view if exists read.audit; create view read.audit with (security_invoker = true) as select * from ${this.table};
      drop view if exists read.audit_head; create view read.audit_head with (security_invoker = true) as select * from projector.audit_head where version = ${this.version}`);
  }

  async drop(sql: Sql): Promise<void> {
    await sql.script(
      `drop table if exists ${this.table}; delete from projector.audit_head where version = ${this.version}`,
    );
  }

  /** The first entry that is not the same in `other`. */
  firstDifference(sql: Sql, other: string): Promise<Difference | undefined> {
    return firstDifference(sql, { expected: this.table, actual: other, key: ['workspace', 'position'] });
  }

  forget(): void {
    this.heads.clear();
  }

  /** The entries of these events and the new heads of their chains. */
  async changes(sql: Sql, events: readonly RecordedEvent[]): Promise<Write[]> {
    if (this.heads.size > this.remembered) this.heads = new Map([...this.moved].map((head) => [head.workspace, head]));
    await this.load(sql, [...new Set(events.map(({ metadata }) => metadata.workspace))]);
    const moved = new Set<Head>();
    const rows = events.map((event) => {
      const { workspace } = event.metadata;
      const head = this.headOf(workspace);
      moved.add(head);
      return { workspace, event, ...link(head, event) };
    });
    this.moved = moved;
    const params = [
      lines(rows, ({ workspace }) => workspace),
      plainArray(rows.map(({ entry }) => entry.position)),
      lines(rows, ({ event }) => event.id),
      lines(rows, ({ entry }) => entry.at),
      plainArray(rows.map(({ latest }) => latest)),
      lines(rows, ({ entry }) => entry.action),
      lines(rows, ({ entry }) => entry.entityType),
      lines(rows, ({ entry }) => entry.entityId),
      rows.map(({ entry }) => entry.actor),
      rows.map(({ entry }) => entry.correlationId),
      arrayOrNull(rows.map(({ entry }) => entry.causationId)),
      plainArray(rows.map(({ entry }) => entry.revision)),
      lines(rows, ({ data }) => data),
      lines(rows, ({ entry }) => entry.hash),
      lines(rows, ({ entry }) => entry.previousHash ?? ''),
      arrayOrNull(rows.map(({ subject }) => subject)),
    ];
    return [{ text: insertInto(this.table), params }, this.heading([...moved])];
  }

  private headOf(workspace: string): Head {
    const known = this.heads.get(workspace);
    if (known) return known;
    const first: Head = { workspace, ...beginning() };
    this.heads.set(workspace, first);
    return first;
  }

  private async load(sql: Sql, workspaces: readonly string[]): Promise<void> {
    const unknown = workspaces.filter((workspace) => !this.heads.has(workspace));
    if (unknown.length === 0) return;
    const rows = await sql.query<Omit<Head, 'latest'> & { latest: string }>(
      "select workspace, entries, position, encode(hash, 'hex') as hash, latest, lag from projector.audit_head where version = $1 and workspace = any($2)",
      [this.version, unknown],
    );
    for (const row of rows) this.heads.set(row.workspace, { ...row, latest: Date.parse(row.latest) });
  }

  private heading(heads: readonly Head[]): Write {
    const params = [
      this.version,
      heads.map(({ workspace }) => workspace),
      heads.map(({ entries }) => entries),
      heads.map(({ position }) => position),
      heads.map(({ hash }) => hash),
      heads.map(({ latest }) => new Date(latest).toISOString()),
      heads.map(({ lag }) => lag),
    ];
    return { text: SAVE_HEADS, params };
  }
}

const SAVE_HEADS = `insert into projector.audit_head (version, workspace, entries, position, hash, latest, lag)
  select $1, workspace, entries, position, decode(hash, 'hex'), latest, lag
    from unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::timestamptz[], $7::bigint[]) h (workspace, entries, position, hash, latest, lag), fence
  on conflict (version, workspace) do update
    set entries = excluded.entries, position = excluded.position, hash = excluded.hash, latest = excluded.latest, lag = excluded.lag`;

/** Text that holds no line break, as lines: array literals of text cost several times as much on both sides. */
const lines = <Row>(rows: readonly Row[], of: (row: Row) => string): string => rows.map(of).join('\n');

const COLUMNS = `workspace, position, event_id, at, latest, action, entity_type, entity_id, actor, correlation_id, causation_id, revision,
  data, hash, previous_hash, subject`;

const fromLines = (param: number, type = 'text'): string => `string_to_array($${param}::text, E'\\n')::${type}[]`;

const insertInto = (table: string): string => `insert into ${table} (${COLUMNS})
  select workspace, position, event_id, at, to_timestamp(latest / 1000.0), action, entity_type, entity_id, actor, correlation_id, causation_id,
      revision, data, decode(hash, 'hex'), decode(nullif(previous_hash, ''), 'hex'), subject
    from unnest(${fromLines(1)}, $2::bigint[], ${fromLines(3, 'uuid')}, ${fromLines(4, 'timestamptz')}, $5::bigint[], ${fromLines(6)}, ${fromLines(7)}, ${fromLines(8)},
      $9::text[], $10::text[], $11::text[], $12::int[], ${fromLines(13)}, ${fromLines(14)}, ${fromLines(15)}, $16::text[]) e (${COLUMNS}), fence`;

const tableOf = (table: string): string => `create table if not exists ${table} (
  workspace text collate "C" not null, position bigint not null, event_id uuid not null, at timestamptz not null,
  -- The newest time up to here: grows with the position, so a range of times is a range of positions.
  latest timestamptz not null,
  action text collate "C" not null, entity_type text collate "C" not null, entity_id text collate "C" not null,
  actor text collate "C" not null, correlation_id text collate "C" not null, causation_id text, revision integer not null,
  data text not null, hash bytea not null, previous_hash bytea,
  -- Whose personal data it holds.
  subject text collate "C", primary key (workspace, position))`;

/** What the lists walk (docs/decisions/0014), and where an event is found by its id. */
const INDEXES = {
  what: 'workspace, entity_type, action, position',
  who: 'workspace, actor, entity_type, action, position',
  // The last two order nothing: an entry that they leave out need not be looked at.
  entity: 'workspace, entity_id, position, actor, action',
  correlation: 'workspace, correlation_id, position, actor, action',
  event: 'workspace, event_id',
  subject: 'workspace, subject, position',
} as const;

const indexesOf = (table: string): readonly string[] =>
  Object.entries(INDEXES).map(
    ([name, columns]) =>
      `create index if not exists ${table.slice(table.indexOf('.') + 1)}_by_${name} on ${table} (${columns})${name === 'subject' ? ' where subject is not null' : ''}`,
  );
