/** What takes long is looked at less often: looking takes the machine from what is waited for. */
const SELDOM_MS = 100;

/** A net for what never comes, far above what anything takes on a slow machine: no test proves by it that something is fast. */
const WITHIN_MS = 30_000;

/** Waits for a condition, never for a duration: runs `check` until it stops throwing (and returns not false), or fails with its last error. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { within = WITHIN_MS, every = 10 } = {},
): Promise<Exclude<T, false>> {
  const began = Date.now();
  for (const deadline = began + within; ;) {
    let failure: unknown;
    try {
      const result = await check();
      if (result !== false) return result as Exclude<T, false>;
      failure = new Error('the condition stayed false');
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline) throw failure;
    const waited = Date.now() - began;
    await new Promise((again) => setTimeout(again, Math.max(every, Math.min(SELDOM_MS, waited / 10))));
  }
}
