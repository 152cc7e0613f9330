import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSecretKey, SettingsError, type Settings } from './config/settings';
import { writeWhole } from './write-whole';

/** The secret key of a sandbox that was given none: made once, in DATA_DIR. Throws a SettingsError in production, and for a file that holds no key. */
export function sandboxKey({ mode, dataDir }: Settings): string {
  if (mode !== 'sandbox') throw new SettingsError('POSTLEDGER_SECRET_KEY is missing.');
  const file = join(dataDir, 'secret-key');
  const known = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (known && !isSecretKey(known))
    throw new SettingsError(
      `${file} is damaged: it must hold 32 bytes in base64. Bring it back, or set DATA_DIR to another folder.`,
    );
  if (known) return known;
  const key = randomBytes(32).toString('base64');
  mkdirSync(dataDir, { recursive: true });
  writeWhole(file, `${key}\n`);
  return key;
}
