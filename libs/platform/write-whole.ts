import { renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncFolder } from '#postgres';

/**
 * Writes a small file of text for its owner alone, so that whoever reads it, and whoever finds it after a kill or a power cut, finds all
 * of it or what was there before.
 */
export function writeWhole(file: string, text: string): void {
  const making = `${file}.${process.pid}`;
  writeFileSync(making, text, { mode: 0o600, flush: true });
  renameSync(making, file);
  syncFolder(dirname(file));
}
