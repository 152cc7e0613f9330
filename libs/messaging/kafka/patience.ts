/** Waits for `work`, and no longer than so many milliseconds: brokers that are away answer nothing that could end it. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([work, new Promise<void>((over) => (timer = setTimeout(over, ms)))]);
  } finally {
    clearTimeout(timer);
  }
}
