export { testDatabase, type TestDatabase } from './test-database';
export { eventually } from './eventually';
export { Receiver, type Received, type Reply } from './receiver';
export { scenariosOf, type Given } from './given';
