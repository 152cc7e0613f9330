import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Puts the names in a folder on the disk: before that, a power cut takes a rename back. Windows opens no folder. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const opened = openSync(folder, 'r');
  fsyncSync(opened);
  closeSync(opened);
}
