import { untrusted } from '#kernel';
import { sqlStateOf } from '#postgres';

/** Ways of not being let in for which waiting cannot help, by SQLSTATE, and what to do about each. */
const BY_STATE: Readonly<Record<string, (message: string) => string>> = {
  '28P01': () => 'the password is wrong; check the user and password in DATABASE_URL',
  '28000': (message) =>
    message.endsWith('no encryption')
      ? `${message}; if it takes encrypted connections, add ?sslmode=verify-full to DATABASE_URL`
      : `${message}; check the user in DATABASE_URL and the server’s pg_hba.conf`,
  '3D000': () => 'the database does not exist; create it or name another in DATABASE_URL',
  '42501': (message) =>
    `${message}; let the user own the database, or grant it create on the database and on its schema public`,
};

/** Why PostgreSQL will not have us and what to do, as a clause, when waiting cannot help; undefined for faults that pass. Holds no secret. */
export function refusalOf(error: unknown): string | undefined {
  const { message = '' } = (error ?? {}) as Partial<Error>;
  const byState = BY_STATE[sqlStateOf(error)];
  if (byState) return byState(message);
  const distrust = untrusted(message);
  if (distrust)
    return `its certificate does not verify (${distrust}); sslrootcert in DATABASE_URL names the file of the authority to trust`;
  if (/does not support SSL/.test(message)) return 'it takes no encrypted connections; check sslmode in DATABASE_URL';
  if (/client password must be/.test(message)) return 'it asks for a password; DATABASE_URL has none';
  return undefined;
}

/** Files of certificates and keys are read for each connection, before it is tried. What is wrong with one, as a sentence; undefined for other faults. */
export function unreadableFile(error: unknown): string | undefined {
  const { syscall, path, code } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  return syscall === 'open' ? `DATABASE_URL names ${path}, which cannot be read (${code}).` : undefined;
}
