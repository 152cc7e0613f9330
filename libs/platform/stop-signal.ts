/** What a shell says of a program that the signal has ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * For a tool whose work may be stopped half-way: the first SIGINT or SIGTERM asks for the end, another one ends the process. The reason is
 * the exit code of whoever has not finished because of it.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(EXIT_CODES[name]));
  return stop.signal;
}
