/** The database that has every migration: each test file gets a copy of it. */
export const TEMPLATE = 'postledger_template';
