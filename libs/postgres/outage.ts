/** SQLSTATE classes of what passes: connections, resources, an operator's intervention, a serialization conflict. */
const PASSING = ['08', '40', '53', '55', '57'];
const SOCKET = /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|ENOENT|EAI_)/;
const LOST =
  /connection (terminated|ended|error)|timeout exceeded when trying to connect|not queryable|after calling end/i;

/** Whether an error says that PostgreSQL is away for now, rather than that it refuses what it was asked. */
export function isOutage(error: unknown): boolean {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  return (code.length === 5 && PASSING.includes(code.slice(0, 2))) || SOCKET.test(code) || LOST.test(message);
}
