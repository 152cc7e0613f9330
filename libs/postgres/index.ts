export { Database, planned, type Sql, type TransactionOptions } from './database';
export { migrate, migrations } from './migrate';
export { EmbeddedServer, freePort } from './embedded/embedded-server';
export { arrayOrNull, joinedTexts, plainArray, plainArrayOrNull } from './batch';
export { OPEN, writeFenced, type Write } from './fenced-write';
