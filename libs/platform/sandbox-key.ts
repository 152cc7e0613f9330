import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSecretKey, SettingsError, type Settings } from './config/settings';
import { alone, inDataDir } from './data-dir';
import { writeWhole } from './write-whole';

/**
 * The secret key of a sandbox that was given none: made once, in DATA_DIR, by one of the processes that start on it. Throws a
 * SettingsError in production, and for a file that holds no key.
 */
export function sandboxKey({ mode, dataDir }: Pick<Settings, 'mode' | 'dataDir'>): string {
  if (mode !== 'sandbox') throw new SettingsError('POSTLEDGER_SECRET_KEY is missing.');
  const file = join(dataDir, 'secret-key');
  const known = keyIn(file);
  if (known) return known;
  return inDataDir(dataDir, () => alone(dataDir, () => keyIn(file) || madeIn(file)));
}

function keyIn(file: string): string {
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (text && !isSecretKey(text))
    throw new SettingsError(
      `${file} is damaged: it must hold 32 bytes in base64. Bring it back, or set DATA_DIR to another folder.`,
    );
  return text;
}

function madeIn(file: string): string {
  const key = randomBytes(32).toString('base64');
  writeWhole(file, `${key}\n`);
  return key;
}
