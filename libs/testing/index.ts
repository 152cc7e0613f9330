export { testDatabase, type TestDatabase } from './test-database';
export { eventually } from './eventually';
export { copyCluster } from './copy-cluster';
export { ownPort } from './own-port';
export { removeFolder } from './remove-folder';
export { ownReadings, readings, type Reading } from './plan';
export { Receiver, type Received, type Reply } from './receiver';
export { scenariosOf, type Given } from './given';
