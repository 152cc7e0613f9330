import { Pool, types, type PoolClient } from 'pg';
import { History } from './history';
import { Listener, UNHURRIED, type Hear } from './listener';
import { sqlStateOf } from './sql-state';
import { WorkspaceQuery } from './workspace-query';

types.setTypeParser(types.builtins.INT8, Number);
types.setTypeParser(types.builtins.TIMESTAMPTZ, (text) => new Date(inUtc(text)).toISOString());

/** A session's time as ISO 8601 has it: as PostgreSQL writes it, JavaScript takes a year before 100 for one of our days. */
const inUtc = (text: string): string => (text.endsWith('+00') ? `${text.slice(0, -3).replace(' ', 'T')}Z` : text);

/** Something that runs SQL: the pool, or one transaction. Rows come as plain objects; bigint as number, timestamptz as an Instant. */
export interface Sql {
  query<Row = Record<string, unknown>>(text: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Several statements at once, without parameters: DDL. */
  script(text: string): Promise<void>;
}

/** What a reader needs of it. */
export type Reads = Pick<Sql, 'query'>;

/** Reads by workspace: rows of another do not exist for them, whatever they ask for. */
export interface Workspaces {
  inWorkspace(workspace: string): Reads;
}

export interface TransactionOptions {
  /**
   * The commit does not wait for the disk. Only for work that is done again after a crash, because its checkpoint
   * is in the same transaction. Later commits still imply earlier ones: the WAL has one order.
   */
  readonly lazy?: boolean;
}

/** The types do not know what the protocol gives every client. */
const backendOf = (client: PoolClient): number => (client as unknown as { processID: number }).processID;

/** A server that does not let us in for so long is as good as away. */
const CONNECT_MS = 10_000;
/** A server that is gone acknowledges no goodbye. */
const MAX_CLOSING_MS = 2_000;

/** A transaction of which nothing is heard for so long is that of a process that froze, or whose machine is gone: the server ends it, since others wait for its locks. */
const FROZEN_AFTER_MS = 4_000;
/** Whoever is alive says so in time while its transaction waits for something else, such as the event store. */
const ALIVE_MS = 1_000;

/**
 * Whatever the defaults of the database and its user are. Log, bus and checkpoints let writers take turns, and each must see what the one before
 * has committed. A time is to be read by JavaScript: of long ago, other zones have offsets with seconds, which are none to it. So is a number, with
 * all of its digits, and an array with what is null in it. What was accepted is on the disk, and on a standby where that is asked for. And whoever
 * leads or waits says nothing for long.
 */
const SESSION = [
  "set default_transaction_isolation = 'read committed'",
  "set timezone = 'UTC'",
  "set datestyle = 'ISO'",
  'set extra_float_digits = 1',
  'set array_nulls = on',
  "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'",
  UNHURRIED,
  `set idle_in_transaction_session_timeout = ${FROZEN_AFTER_MS}`,
].join('; ');

/** Connections have the names that are given here, by which tools know an app; what an address calls them comes behind. */
function named(url: string, name: string): { connectionString: string; application_name: string } {
  if (!url.includes('application_name=')) return { connectionString: url, application_name: name };
  const address = new URL(url);
  const given = address.searchParams.get('application_name');
  address.searchParams.delete('application_name');
  return { connectionString: address.href, application_name: `${name} (${given})` };
}

/**
 * SQLSTATEs that a connection would say again for as long as it stands: `cached plan must not change result type`, which another release's migration
 * has done, and that it may only read, by a default of the database that it began with.
 */
const STALE = ['0A000', '25006'];
const MAX_PREPARED = 500;
const prepared = new Map<string, string>();

const PLANNED = '/* planned for its values */ ';
/** A query that is planned anew each time: for one whose best index depends on how frequent its values are. */
export const planned = (text: string): string => PLANNED + text;

/** Every other statement text is prepared once per connection, up to a bound, so that planning is paid once. */
function statement(text: string, values: readonly unknown[]): { text: string; values: unknown[]; name?: string } {
  if (text.startsWith(PLANNED)) return { text, values: values as unknown[] };
  let name = prepared.get(text);
  if (!name && prepared.size < MAX_PREPARED) prepared.set(text, (name = `s${prepared.size}`));
  return name ? { text, values: values as unknown[], name } : { text, values: values as unknown[] };
}

const sqlOn = (client: PoolClient): Sql => ({
  async query<Row>(text: string, params: readonly unknown[] = []) {
    return (await client.query(statement(text, params))).rows as Row[];
  },
  async script(text) {
    await client.query(text);
  },
});

/** Signs of life in the connection's transaction, one at a time, until told to stop. What fails is the transaction's, which hears of it by its own statements. */
function sayAlive(client: PoolClient): () => void {
  let isSaying = false;
  const timer = setInterval(() => {
    if (isSaying) return;
    isSaying = true;
    const said = () => void (isSaying = false);
    client.query('select 1').then(said, said);
  }, ALIVE_MS);
  return () => clearInterval(timer);
}

export interface DatabaseOptions {
  readonly max?: number;
  readonly name?: string;
  readonly onError?: (error: Error) => void;
  /** The server has another history than the one that this process began with: every statement is refused with an OtherHistoryError. */
  readonly onOtherHistory?: () => void;
}

/** A pool of connections to PostgreSQL, transactions on it, and one connection that listens. */
export class Database implements Sql, Workspaces {
  private readonly pool: Pool;
  private readonly listener: Listener;
  /** Process ids, on the server, of the pool's connections. */
  private readonly backends = new Set<number>();
  private areRowsLocked = false;

  constructor(
    readonly url: string,
    options: DatabaseOptions = {},
  ) {
    const onError = options.onError ?? (() => undefined);
    const history = new History(options.onOtherHistory ?? (() => undefined));
    const address = named(url, options.name ?? 'postledger');
    this.pool = new Pool({
      ...address,
      max: options.max ?? 10,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      // The pool waits for it, which its types do not know.
      onConnect: async (client) => {
        await client.query(SESSION);
        await history.check(client);
      },
    });
    this.pool.on('error', onError);
    this.pool.on('connect', (client) => {
      this.backends.add(backendOf(client));
      // It may be cut at any moment, also between two users or two statements: the next statement says so, and the pool lets go of it.
      client.on('error', () => undefined);
    });
    this.pool.on('remove', (client) => this.backends.delete(backendOf(client)));
    this.listener = new Listener(address.connectionString, onError, (processId) => this.backends.has(processId), {
      connectMs: CONNECT_MS,
      closingMs: MAX_CLOSING_MS,
    });
  }

  async query<Row = Record<string, unknown>>(text: string, params: readonly unknown[] = []): Promise<Row[]> {
    return (await this.pool.query(statement(text, params))).rows as Row[];
  }

  /**
   * Queries for one workspace. Once rows are locked they see that workspace's rows alone, in one round trip as any other; before, or where the
   * database cannot, all that their own conditions let them.
   */
  inWorkspace(workspace: string): Reads {
    if (!this.areRowsLocked) return this;
    return {
      query: async <Row>(text: string, params: readonly unknown[] = []) => {
        const query = new WorkspaceQuery(workspace, statement(text, params));
        return ((await this.pool.query(query)) as unknown as { rows: Row[] }).rows;
      },
    };
  }

  /** From now on. The role must be there: `lockRows` sees to it. */
  lockRows(): void {
    this.areRowsLocked = true;
  }

  async script(text: string): Promise<void> {
    await this.pool.query(text);
  }

  /** Runs `work` in one transaction on one connection; rolls back when it rejects. Rejects when it could not be committed. */
  async tx<T>(work: (sql: Sql) => Promise<T>, { lazy = false }: TransactionOptions = {}): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    const stopSaying = sayAlive(client);
    try {
      await client.query(lazy ? 'begin; set local synchronous_commit = off' : 'begin');
      const result = await work(sqlOn(client));
      const { command } = await client.query('commit');
      // The server answers so, without an error, when a statement has failed and `work` has passed over it.
      if (command !== 'COMMIT')
        throw new Error('The transaction was rolled back, since one of its statements had failed');
      return result;
    } catch (error) {
      if (STALE.includes(sqlStateOf(error))) broken = error as Error;
      await client.query('rollback').catch((lost: Error) => (broken = lost));
      throw error;
    } finally {
      stopSaying();
      client.release(broken);
    }
  }

  /** A connection of one's own, for session locks. Release it with `release()`; `destroy` drops the session. */
  async session(): Promise<Sql & { release(destroy?: boolean): void; onLost(listener: () => void): void }> {
    const client = await this.pool.connect();
    const lost = new Set<() => void>();
    const onEnd = () => lost.forEach((listener) => listener());
    client.on('error', onEnd);
    client.once('end', onEnd);
    return {
      ...sqlOn(client),
      onLost: (listener) => void lost.add(listener),
      release: (destroy = false) => {
        client.off('error', onEnd);
        client.off('end', onEnd);
        client.release(destroy);
      },
    };
  }

  /**
   * Calls `hear` for every NOTIFY on `channel`, also after a reconnect (then once with an empty payload, since
   * something may have been missed). Returns the way to stop.
   */
  listen(channel: string, hear: Hear): () => void {
    return this.listener.add(channel, hear);
  }

  async notify(channel: string, payload = ''): Promise<void> {
    await this.query('select pg_notify($1, $2)', [channel, payload]);
  }

  /** Resolves when the last connection is closed, so that the server can go without cutting one. */
  async end(): Promise<void> {
    await this.listener.end();
    // The pool's own promise does not wait for its connections.
    const closed = new Promise<void>((done) => {
      const look = () => void (this.backends.size === 0 && done());
      this.pool.on('remove', look);
      setTimeout(done, MAX_CLOSING_MS).unref();
      look();
    });
    await this.pool.end();
    await closed;
  }
}
