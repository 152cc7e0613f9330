import { rmSync } from 'node:fs';

/** Removes a folder for good, also while what was killed in it still dies. */
export const removeFolder = (folder: string): void =>
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
