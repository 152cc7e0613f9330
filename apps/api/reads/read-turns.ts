import { Injectable } from '@nestjs/common';
import { Turns } from '#kernel';

/** As many as keep the process and the database busy. */
const LISTS_AT_ONCE = 4;
/** Each holds a page that its reader has yet to take, and the next. */
const EXPORTS_AT_ONCE = 8;

/**
 * Long reads, in turns by workspace: what many of one read at once would stand between all others and the one thread there is, and hold every connection
 * to the database.
 */
@Injectable()
export class ReadTurns {
  private readonly lists = new Turns(LISTS_AT_ONCE);
  private readonly stretches = new Turns(1);
  private readonly exports = new Turns(EXPORTS_AT_ONCE);

  /** Reads one page. */
  page<T>(workspace: string, read: () => Promise<T>): Promise<T> {
    return this.lists.run(workspace, read);
  }

  /** Reads the next of the thousands of entries that an answer is made from. */
  stretch<T>(workspace: string, read: () => Promise<T>): Promise<T> {
    return this.stretches.run(workspace, read);
  }

  /** Writes an export, until its reader has taken it or has gone: what is not taken waits in memory. */
  export(workspace: string, write: () => Promise<void>): Promise<void> {
    return this.exports.run(workspace, write);
  }
}
