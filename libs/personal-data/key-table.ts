import { OPEN, writeFenced, type Database, type Write } from '#postgres';
import type { KeyName } from './sealed-text';

/** A key as it is stored: wrapped by the master key, or null once it was destroyed. */
export interface StoredKey extends KeyName {
  readonly workspace: string;
  readonly box: string | null;
  readonly erasedAt: string | null;
}

export interface Subject {
  readonly workspace: string;
  readonly subject: string;
}

/** Where keys are kept. */
export interface KeyTable {
  /** The live key of each subject, made of `newBox` where there is none; they are durable when this resolves. */
  take(subjects: readonly Subject[], newBox: () => string): Promise<StoredKey[]>;
  /** The keys of these names, as far as they were ever made. */
  find(workspace: string, names: readonly KeyName[]): Promise<StoredKey[]>;
  /** All that a subject ever had, oldest first. */
  of(workspace: string, subjects: readonly string[]): Promise<StoredKey[]>;
  /** Leaves a tombstone of each: no key of these names is ever made again. */
  destroy(workspace: string, names: readonly KeyName[], at: string): Promise<void>;
}

const COLUMNS = 'k.workspace, k.subject, k.generation, k.box, k.erased_at';

interface Row extends Omit<StoredKey, 'erasedAt'> {
  readonly erased_at: string | null;
}

const fromRow = ({ erased_at: erasedAt, ...key }: Row): StoredKey => ({ ...key, erasedAt });

const LIVE = `select ${COLUMNS} from unnest($1::text[], $2::text[]) asked (workspace, subject)
  join subject.key k on k.workspace = asked.workspace and k.subject = asked.subject and k.box is not null`;

// The generation after the newest, whatever became of that; of two processes that make one at once the first wins.
const MAKE = `insert into subject.key (workspace, subject, generation, box)
  select n.workspace, n.subject, coalesce((select max(k.generation) from subject.key k where k.workspace = n.workspace and k.subject = n.subject), 0) + 1, n.box
    from unnest($1::text[], $2::text[], $3::text[]) n (workspace, subject, box) order by 1, 2
  on conflict do nothing`;

const DESTROY = `update subject.key k set box = null, erased_at = $4
  from fence, unnest($2::text[], $3::int[]) n (subject, generation)
  where k.workspace = $1 and k.subject = n.subject and k.generation = n.generation and k.box is not null`;

/** Destroys keys as a part of a projection's statement. */
export const destroying = (workspace: string, names: readonly KeyName[], at: string): Write => ({
  text: DESTROY,
  params: [workspace, names.map(({ subject }) => subject), names.map(({ generation }) => generation), at],
});

/** The keys as a table of PostgreSQL (schema `subject`), whatever engine holds the log. */
export class PostgresKeyTable implements KeyTable {
  constructor(private readonly db: Database) {}

  async take(subjects: readonly Subject[], newBox: () => string): Promise<StoredKey[]> {
    const names = (of: readonly Subject[]) => [of.map(({ workspace }) => workspace), of.map(({ subject }) => subject)];
    for (;;) {
      const live = (await this.db.query<Row>(LIVE, names(subjects))).map(fromRow);
      const missing = subjects.filter(
        (it) => !live.some(({ workspace, subject }) => workspace === it.workspace && subject === it.subject),
      );
      if (missing.length === 0) return live;
      await this.db.query(MAKE, [...names(missing), missing.map(newBox)]);
    }
  }

  async find(workspace: string, names: readonly KeyName[]): Promise<StoredKey[]> {
    const rows = await this.db.query<Row>(
      `select ${COLUMNS} from subject.key k join unnest($2::text[], $3::int[]) n (subject, generation) using (subject, generation) where k.workspace = $1`,
      [workspace, names.map(({ subject }) => subject), names.map(({ generation }) => generation)],
    );
    return rows.map(fromRow);
  }

  async of(workspace: string, subjects: readonly string[]): Promise<StoredKey[]> {
    const rows = await this.db.query<Row>(
      `select ${COLUMNS} from subject.key k where k.workspace = $1 and k.subject = any($2) order by k.subject, k.generation`,
      [workspace, subjects],
    );
    return rows.map(fromRow);
  }

  async destroy(workspace: string, names: readonly KeyName[], at: string): Promise<void> {
    await writeFenced(this.db, OPEN, [destroying(workspace, names, at)]);
  }

  /** Wraps anew what `isOld` says was wrapped by a former master key, some at a time. Returns how many. */
  async rewrap(isOld: (box: string) => boolean, wrap: (box: string) => string): Promise<number> {
    const rows = await this.db.query<Row & { box: string }>(
      `select ${COLUMNS} from subject.key k where k.box is not null`,
    );
    const old = rows.filter(({ box }) => isOld(box));
    for (let from = 0; from < old.length; from += REWRAPPED_AT_ONCE) {
      const some = old.slice(from, from + REWRAPPED_AT_ONCE);
      await this.db.query(
        `update subject.key k set box = n.new_box from unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[]) n (workspace, subject, generation, old_box, new_box)
          where k.workspace = n.workspace and k.subject = n.subject and k.generation = n.generation and k.box = n.old_box`,
        [
          some.map(({ workspace }) => workspace),
          some.map(({ subject }) => subject),
          some.map(({ generation }) => generation),
          some.map(({ box }) => box),
          some.map(({ box }) => wrap(box)),
        ],
      );
    }
    return old.length;
  }
}

const REWRAPPED_AT_ONCE = 500;
