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

/** A reader that has left, or a file without space. */
const LOST = ['EPIPE', 'EIO', 'ENOSPC', 'EDQUOT'];

/**
 * Whoever reads may leave (`npm start | head -1`, a terminal that is closed), and a file may be full: what is said then is lost, and the
 * work goes on.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!LOST.includes(error.code ?? '')) throw error;
    });
}
