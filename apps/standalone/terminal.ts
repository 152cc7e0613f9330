/** One line for people. */
export const say = (line: string): void => void process.stdout.write(`${line}\n`);

const QUIET_MS = 2_000;

/** Does some work; says so, with the seconds, when it takes longer than two. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const timer = setInterval(() => say(`  … ${what} (${Math.round((Date.now() - started) / 1000)} s)`), QUIET_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Whoever reads may leave (`npm start | head -1`, a terminal that is closed): what is said then is lost, and the work goes on. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
    });
}
