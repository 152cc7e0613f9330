import type { EventStore } from '#event-store';
import { EventStoreDbEventStore } from '#event-store/eventstoredb/eventstoredb-event-store';
import { PostgresEventStore } from '#event-store/postgres/postgres-event-store';
import { ownEmbedded, reachEmbedded } from '#platform';
import { Database, migrate } from '#postgres';
import { reach, shown } from './reach';
import { OWN_NAME } from './switch-positions';

/** As many appends to PostgreSQL travel as one statement, in order; EventStoreDB promises no order between streams. */
const AT_ONCE = { postgres: 250, eventstoredb: 1 };

export interface OpenLog {
  readonly store: EventStore;
  readonly shown: string;
  readonly atOnce: number;
}

/** Opens what the options name, each database once, and closes all of it. */
export class Opener {
  private readonly closing: (() => Promise<unknown>)[] = [];
  private readonly databases = new Map<string, Promise<Database>>();

  constructor(private readonly dataDir: string) {}

  /** One that is only read may be in use: of an embedded one the server that runs is taken. */
  async log(url: string, { isOnlyRead = false } = {}): Promise<OpenLog> {
    if (url !== 'embedded' && !url.startsWith('postgres')) return this.eventStoreDb(url);
    const db = await this.database(url, isOnlyRead);
    return { store: new PostgresEventStore(db), shown: `PostgreSQL (${shown(url)})`, atOnce: AT_ONCE.postgres };
  }

  /** A PostgreSQL database with the schema of this build. */
  database(url: string, isOnlyRead = false): Promise<Database> {
    const known = this.databases.get(url) ?? this.openDatabase(url, isOnlyRead);
    this.databases.set(url, known);
    return known;
  }

  async close(): Promise<void> {
    for (const close of this.closing.reverse()) await close();
  }

  private async eventStoreDb(url: string): Promise<OpenLog> {
    const store = await reach(url, async () => new EventStoreDbEventStore(url));
    this.closing.push(() => store.close());
    const { engine, version } = await reach(url, () => store.check());
    return { store, shown: `${engine} ${version} (${shown(url)})`, atOnce: AT_ONCE.eventstoredb };
  }

  private async openDatabase(url: string, isOnlyRead: boolean): Promise<Database> {
    const db = new Database(url === 'embedded' ? await this.embedded(isOnlyRead) : url, { name: OWN_NAME });
    this.closing.push(() => db.end());
    await reach(url, () => migrate(db));
    return db;
  }

  private async embedded(isOnlyRead: boolean): Promise<string> {
    const { url, close } = await (isOnlyRead ? reachEmbedded : ownEmbedded)(this.dataDir);
    this.closing.push(close);
    return url;
  }
}
