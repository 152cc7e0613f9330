import { totalmem } from 'node:os';

const MB = 1024 * 1024;
const [LEAST, MOST] = [128, 1024];

/**
 * What the server keeps of its tables in memory, as its setting `shared_buffers` is written: an eighth of what the machine has (or this
 * process may take, whichever is less), at least 128 MB and at most 1 GB. What does not fit goes to the disk and comes back, page by page.
 */
export function sharedBuffers(memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity)): string {
  const eighth = Math.floor(memoryBytes / 8 / MB);
  return `${Math.min(Math.max(eighth, LEAST), MOST)}MB`;
}
