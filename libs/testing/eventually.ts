/** Waits for a condition, never for a duration: runs `check` until it stops throwing (and returns not false), or fails with its last error. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { within = 10_000, every = 10 } = {},
): Promise<Exclude<T, false>> {
  for (const deadline = Date.now() + within; ;) {
    let failure: unknown;
    try {
      const result = await check();
      if (result !== false) return result as Exclude<T, false>;
      failure = new Error('the condition stayed false');
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline) throw failure;
    await new Promise((again) => setTimeout(again, every));
  }
}
