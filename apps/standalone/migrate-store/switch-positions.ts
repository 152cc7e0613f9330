import type { EventStore } from '#event-store';
import { KafkaBus } from '#messaging/kafka/kafka-bus';
import { differenceFrom, SettingsError } from '#platform';
import { MIGRATION_LOCK, type Database, type Sql } from '#postgres';
import { TOPICS } from '#public-messages';
import { nameOf } from './copy-log';
import { reach } from './reach';
import { sideBySide } from './walk';

/** What this tool's own connections are called, so that they are not taken for an app's. */
export const OWN_NAME = 'postledger migrate-store';

const FEW = 5_000;
/** What is due for publishers is not for delivery, and tells no place that anybody remembers. */
const READ_BY_DELIVERY = Object.values(TOPICS).filter((topic) => topic !== TOPICS.publishing);

export interface SwitchOptions {
  readonly source: EventStore;
  readonly target: EventStore;
  readonly bus?: string;
  /** Asks for the end, which it gets until the first place is moved. */
  readonly signal?: AbortSignal;
  /** Hears of how many events the new place is known. */
  readonly onPlaced?: (events: number) => void;
}

interface Switched {
  readonly isNew: boolean;
  readonly events: number;
}

/**
 * Makes every place in the log that a database remembers the place of the same event in the target's log, in one transaction: it has
 * happened, or it has not. The two logs must hold the same events in the same order, and nothing may run on the database.
 */
export async function switchPositions(db: Database, options: SwitchOptions): Promise<Switched> {
  const { source, target, bus } = options;
  await expectStopped(db);
  if (await isSwitched(db, source, target)) return { isNew: false, events: 0 };
  await expectRead(db, bus);
  return db.tx(async (sql) => {
    // Every app takes it at its start: one that is started now waits until positions are those of the new log.
    await sql.query(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await expectStopped(sql);
    const events = await mapPositions(sql, options);
    await expectOfSource(sql);
    await moveProjector(sql);
    await moveViews(sql);
    await moveBus(sql);
    await moveDelivery(sql);
    await startAuditAnew(sql);
    return { isNew: true, events };
  });
}

async function expectStopped(db: Sql): Promise<void> {
  const running = await db.query<{ application_name: string }>(
    `select distinct application_name from pg_stat_activity
     where datname = current_database() and application_name like 'postledger%' and application_name <> $1 order by 1`,
    [OWN_NAME],
  );
  if (running.length > 0)
    throw new SettingsError(
      `Positions can change only while nothing runs: stop ${running.map(({ application_name }) => application_name.replace('postledger ', '')).join(', ')} first.`,
    );
}

/** The outbox has told all of the source, or it is already a place in the target. */
async function isSwitched(db: Database, source: EventStore, target: EventStore): Promise<boolean> {
  const [outbox] = await db.query<{ position: number }>(
    "select position from projector.checkpoint where name = 'outbox' and status = 'current'",
  );
  if (!outbox) throw new SettingsError('The database of --switch has no views yet: there is nothing to switch.');
  const [from, to] = [await source.head(), await target.head()];
  if (outbox.position === to && from !== to && (await differenceFrom(db, target)) === undefined) return true;
  const [behind] = await db.query<{ name: string; position: number }>(
    "select name, position from projector.checkpoint where name in ('outbox', 'policies') and status = 'current' and position < $1 limit 1",
    [from],
  );
  if (behind)
    throw new SettingsError(
      `The projector has not told all of the source (${behind.name} is at ${behind.position} of ${from}): start the apps on it, wait until health shows no lag, stop them, and come again.`,
    );
  return false;
}

/** What waits in Kafka tells places of the old log, which an intake would take for places of the new one. */
async function expectRead(db: Database, bus: string | undefined): Promise<void> {
  const [relay] = await db.query("select 1 from bus.group_offset where group_name = 'relay' limit 1");
  if (!relay) return;
  if (bus === undefined)
    throw new SettingsError('Kafka is the bus of this system: --bus must say where, so that its end can be seen.');
  const kafka = await reach(bus, async () => new KafkaBus(bus));
  try {
    await reach(bus, () => kafka.check());
    const unread = await kafka.unread('delivery', READ_BY_DELIVERY);
    if (unread > 0)
      throw new SettingsError(
        `Delivery has ${unread} message${unread === 1 ? '' : 's'} of the old log to read from Kafka: let it run until health shows no lag, stop it, and come again.`,
      );
  } finally {
    await kafka.close();
  }
}

/** Another database would be destroyed: every place in it would become that of an event that it does not know. */
async function expectOfSource(sql: Sql): Promise<void> {
  const [strange] = await sql.query<{ position: number }>(
    `select position from read.audit a where not exists (select from place p where p.old = a.position and p.id = a.event_id) limit 1`,
  );
  if (strange)
    throw new SettingsError(
      `The database of --switch is not one of this source: at position ${strange.position} its audit log has another event.`,
    );
}

/** For each event of the source its place there and in the target. */
async function mapPositions(sql: Sql, { source, target, signal, onPlaced }: SwitchOptions): Promise<number> {
  await sql.script(
    'create temporary table place (old bigint primary key, new bigint not null, id uuid) on commit drop',
  );
  let [olds, news, ids, count]: [number[], number[], (string | null)[], number] = [[0], [0], [null], 0];
  const flush = async () => {
    await sql.query('insert into place select * from unnest($1::bigint[], $2::bigint[], $3::uuid[])', [
      olds,
      news,
      ids,
    ]);
    [olds, news, ids] = [[], [], []];
  };
  for await (const [event, there] of sideBySide(source, target, signal)) {
    if (!event || !there || event.id !== there.id)
      throw new SettingsError(
        `The logs do not go side by side: ${nameOf((event ?? there)!)} has no place in the other, or another one. Copy first.`,
      );
    olds.push(event.position);
    news.push(there.position);
    ids.push(event.id);
    count++;
    if (olds.length < FEW) continue;
    await flush();
    onPlaced?.(count);
  }
  await flush();
  await sql.script(`analyze place;
    -- Of a place between events, such as a head that was remembered: that of the last event before it.
    create function pg_temp.moved(p bigint) returns bigint language sql stable as
      'select case when p < 0 then p else (select new from place where old <= p order by old desc limit 1) end';`);
  return count;
}

const moveProjector = (sql: Sql): Promise<void> =>
  sql.script(`
    update projector.checkpoint set position = pg_temp.moved(position);
    update projector.timer set position = pg_temp.moved(position);`);

/** Every table of a view that keeps places: their columns have the same names in all of them. */
async function moveViews(sql: Sql): Promise<void> {
  const tables = await sql.query<{ name: string; columns: string[] }>(
    `select c.table_name as name, array_agg(c.column_name::text) as columns
     from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'read' and t.table_type = 'BASE TABLE' and c.column_name in ('position', 'created_position')
       and c.table_name !~ '^audit_v[0-9]+$'
     group by c.table_name`,
  );
  for (const { name, columns } of tables)
    await sql.script(
      `update read."${name}" set ${columns.map((column) => `${column} = pg_temp.moved(${column})`).join(', ')}`,
    );
}

const moveBus = (sql: Sql): Promise<void> =>
  sql.script(
    ['message', 'dead_letter']
      .map(
        (table) => `update bus.${table} set headers = regexp_replace(headers, '("postledger-position": ?")[0-9]+',
          '\\1' || pg_temp.moved(split_part(headers::json ->> 'postledger-position', '.', 1)::bigint))
        where headers like '%"postledger-position"%';`,
      )
      .join('\n'),
  );

/** The inbox knows what was handled under its old place and under its new one: a bus that was not told of the end of a batch gives it again. */
const moveDelivery = (sql: Sql): Promise<void> =>
  sql.script(`
    update delivery.endpoint set position = pg_temp.moved(position), cursor = pg_temp.moved(cursor),
      enabled_after = pg_temp.moved(enabled_after),
      eras = (select json_agg(jsonb_set(era, '{after}', to_jsonb(pg_temp.moved((era ->> 'after')::bigint))) order by n)
              from jsonb_array_elements(eras::jsonb) with ordinality e (era, n));
    update delivery.delivery d set position = p.new from place p where p.old = d.position;
    insert into delivery.inbox (position, index, created_at)
      select p.new, i.index, i.created_at from delivery.inbox i join place p on p.old = i.position on conflict do nothing;
    update delivery.fact set position = pg_temp.moved(position), as_of = pg_temp.moved(as_of);`);

/** An entry's hash holds its position, so the chain of the new log is another: the projector writes it anew. */
async function startAuditAnew(sql: Sql): Promise<void> {
  const tables = await sql.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'read' and tablename ~ '^audit_v[0-9]+$'",
  );
  for (const { name } of tables) await sql.script(`truncate read."${name}"`);
  await sql.script(`
    delete from projector.audit_head;
    update projector.checkpoint set position = 0 where name = 'audit' and status <> 'retired';`);
}
