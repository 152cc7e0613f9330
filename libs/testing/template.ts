/** The database that has every migration: each test file gets a copy of it. */
export const TEMPLATE = 'postledger_template';

/** By files: some 20 ms, where page by page through the write-ahead log takes 200. */
export const copyDatabase = (from: string, to: string): string =>
  `create database ${to} template ${from} strategy file_copy`;
