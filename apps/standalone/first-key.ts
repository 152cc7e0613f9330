import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole, type Engines } from '#platform';
import { ensureFirstWorkspace } from '../api/keys/first-workspace';

/** The first workspace's key, as the terminal may show it. */
export interface FirstKey {
  readonly text: string;
  readonly isNew: boolean;
  /** Shown in clear: one that is made, at the first start alone; one of the environment in the sandbox alone, for what a terminal shows is kept in logs. */
  readonly isShown: boolean;
  /** The file that keeps it, in the sandbox. */
  readonly file: string | undefined;
  /** The header for a shell, quoted: with the text itself, or a `$(cat …)` of the file. */
  readonly header: string;
}

/** The sandbox keeps its key in DATA_DIR, readable by its owner alone, so that the sample works at the next start too. */
export async function firstKey(engines: Engines): Promise<FirstKey> {
  const { settings } = engines;
  const file = join(settings.dataDir, 'api-key');
  const isSandbox = settings.mode === 'sandbox';
  const keep = (text: string) => isSandbox && writeWhole(file, `${text}\n`);
  const { apiKey } = await ensureFirstWorkspace(engines, { apiKey: settings.apiKey, keep });
  if (settings.apiKey !== undefined)
    return {
      text: settings.apiKey,
      isNew: false,
      isShown: isSandbox,
      file: undefined,
      header: isSandbox ? headerOf(settings.apiKey) : '"Authorization: Bearer $POSTLEDGER_API_KEY"',
    };
  if (apiKey !== undefined)
    return { text: apiKey, isNew: true, isShown: true, file: isSandbox ? file : undefined, header: headerOf(apiKey) };
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  const isKept = text !== '';
  return {
    text,
    isNew: false,
    isShown: false,
    file: isKept ? file : undefined,
    header: isKept ? `"Authorization: Bearer $(cat ${quoted(file)})"` : headerOf('<your key>'),
  };
}

const headerOf = (key: string): string => quoted(`Authorization: Bearer ${key}`);

/** One word of a shell, whatever is in it. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
