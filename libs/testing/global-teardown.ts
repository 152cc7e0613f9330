import { rmSync } from 'node:fs';

export default async function tearDown(): Promise<void> {
  await globalThis.testServer?.server.stop();
  if (globalThis.testServer)
    rmSync(globalThis.testServer.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}
