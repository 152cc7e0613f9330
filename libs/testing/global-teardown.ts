import { removeFolder } from './remove-folder';

export default async function tearDown(): Promise<void> {
  await globalThis.testServer?.server.stop();
  if (globalThis.testServer) removeFolder(globalThis.testServer.folder);
}
