const FIRST_MS = 10;
const LAST_MS = 1_000;

/**
 * Looks until something is found, or until `withinMs` are over (then it resolves with undefined): soon at first and ever less often, so that
 * hundreds who wait for long ask the database for little. It looks once at least, and rejects with what `look` rejects with.
 */
export async function lookAgain<T>(look: () => Promise<T | undefined>, withinMs: number): Promise<T | undefined> {
  const deadline = performance.now() + withinMs;
  for (let pauseMs = FIRST_MS; ; pauseMs = Math.min(LAST_MS, pauseMs * 1.5)) {
    const found = await look();
    const leftMs = deadline - performance.now();
    if (found !== undefined || leftMs <= 0) return found;
    await new Promise((again) => setTimeout(again, Math.min(pauseMs, leftMs)));
  }
}
