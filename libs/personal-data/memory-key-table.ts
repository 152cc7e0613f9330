import type { KeyTable, StoredKey } from './key-table';

/** Keys in this process's memory: for tests that need no engine. */
export class MemoryKeyTable implements KeyTable {
  readonly rows: StoredKey[] = [];

  async take(...[subjects, newBox]: Parameters<KeyTable['take']>): Promise<StoredKey[]> {
    return subjects.map(({ workspace, subject }) => {
      const own = this.rows.filter((row) => row.workspace === workspace && row.subject === subject);
      const live = own.find(({ box }) => box !== null);
      if (live) return live;
      const made = { workspace, subject, generation: own.length + 1, box: newBox(), erasedAt: null };
      this.rows.push(made);
      return made;
    });
  }

  async find(...[workspace, names]: Parameters<KeyTable['find']>): Promise<StoredKey[]> {
    return this.rows.filter(
      (row) =>
        row.workspace === workspace &&
        names.some(({ subject, generation }) => row.subject === subject && row.generation === generation),
    );
  }

  async of(...[workspace, subjects]: Parameters<KeyTable['of']>): Promise<StoredKey[]> {
    return this.rows.filter((row) => row.workspace === workspace && subjects.includes(row.subject));
  }

  async destroy(...[workspace, names, at]: Parameters<KeyTable['destroy']>): Promise<void> {
    for (const row of await this.find(workspace, names))
      this.rows[this.rows.indexOf(row)] = { ...row, box: null, erasedAt: row.erasedAt ?? at };
  }
}
