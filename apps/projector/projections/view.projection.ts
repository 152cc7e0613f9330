import type { RecordedEvent } from '#event-store';
import { upcast } from '#public-messages';
import { AuditTable, KeyedTable, type KeyedView } from '#read-models';
import type { Projection, ScratchBuild } from './projection';

/** A burst of commands reaches a view in a few transactions, the audit log in fewer still; alone, a command reaches both at once. */
const PACE_MS = { view: 20, audit: 60 } as const;

type Table = Pick<
  KeyedTable<object>,
  'prepare' | 'indexes' | 'publish' | 'drop' | 'forget' | 'changes' | 'firstDifference'
> & { readonly isAppended?: boolean };

/** Builds a keyed view. */
export const viewProjection = (view: KeyedView): Projection =>
  ofTables({
    name: view.name,
    shape: String(view.shape),
    paceMs: PACE_MS.view,
    wants: ({ stream }) => stream.startsWith(`${view.category}-`),
    table: (_, name) => new KeyedTable(view, name),
    read: (events) => events.map(upcast),
  });

/** Builds the audit log: of every event, as it is stored. */
export const auditProjection: Projection = ofTables({
  name: 'audit',
  shape: '3',
  paceMs: PACE_MS.audit,
  wants: () => true,
  table: (version, name) => new AuditTable(version, name),
  read: (events) => events,
});

/** The version of what only one transaction sees. */
const SCRATCH = 0;

function ofTables({
  table,
  read,
  ...rest
}: Pick<Projection, 'name' | 'shape' | 'paceMs' | 'wants'> & {
  readonly table: (version: number, table: string) => Table;
  readonly read: (events: readonly RecordedEvent[]) => readonly RecordedEvent[];
}): Projection {
  const tableOf = (version: number): string => `read.${rest.name}_v${version}`;
  const build = (of: Table) =>
    ({
      isAppended: of.isAppended === true,
      prepare: (sql) => of.prepare(sql),
      indexes: of.indexes,
      publish: (sql) => of.publish(sql),
      drop: (sql) => of.drop(sql),
      forget: () => of.forget(),
      changes: async (sql, { events }) => ({ writes: await of.changes(sql, read(events)) }),
      firstDifference: (sql, version) => of.firstDifference(sql, tableOf(version)),
    }) satisfies ScratchBuild;
  return {
    ...rest,
    build: (version) => build(table(version, tableOf(version))),
    scratch: () => build(table(SCRATCH, tableOf(SCRATCH))),
  };
}
