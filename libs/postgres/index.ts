export { Database, planned, type Reads, type Sql, type TransactionOptions, type Workspaces } from './database';
export { OtherHistoryError } from './history';
export { DatabaseVersionError, migrate, MIGRATION_LOCK, migrations } from './migrate';
export { isOutage } from './outage';
export { lockRows } from './row-security';
export { EmbeddedServer } from './embedded/embedded-server';
export { EmbeddedServerError } from './embedded/embedded-server-error';
export { arrayOrNull, joinedTexts, plainArray, plainArrayOrNull } from './batch';
export { OPEN, writeFenced, type Write } from './fenced-write';
