import { upcast } from '#public-messages';
import { AuditTable, categoryOf, KeyedTable, type KeyedView } from '#read-models';
import type { Projection } from './projection';

/** A burst of commands reaches a view in a few transactions; alone, a command reaches it at once. */
const PACE_MS = 20;

/** Builds a keyed view. */
export const viewProjection = (view: KeyedView): Projection => ({
  name: view.name,
  shape: String(view.shape),
  paceMs: PACE_MS,
  wants: (event) => categoryOf(event) === view.category,
  build(version) {
    const table = new KeyedTable(view, version);
    return {
      prepare: (sql) => table.prepare(sql),
      publish: (sql) => table.publish(sql),
      drop: (sql) => table.drop(sql),
      forget: () => table.forget(),
      apply: (sql, { events }) => table.apply(sql, events.map(upcast)),
    };
  },
});

/** Builds the audit log: of every event, as it is stored. */
export const auditProjection: Projection = {
  name: 'audit',
  shape: '1',
  paceMs: PACE_MS,
  wants: () => true,
  build(version) {
    const table = new AuditTable(version);
    return {
      prepare: (sql) => table.prepare(sql),
      publish: (sql) => table.publish(sql),
      drop: (sql) => table.drop(sql),
      forget: () => table.forget(),
      apply: (sql, { events }) => table.apply(sql, events),
    };
  },
};
