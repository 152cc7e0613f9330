/** What one part of a process says of itself. */
export interface PartHealth {
  readonly ok: boolean;
  readonly detail?: string;
  readonly [fact: string]: unknown;
}

const CHECK_MS = 3_000;

/** The parts of a process, asked together. */
export class Health {
  private readonly parts = new Map<string, () => PartHealth | Promise<PartHealth>>();
  private draining = false;

  part(name: string, check: () => PartHealth | Promise<PartHealth>): void {
    this.parts.set(name, check);
  }

  /** From now on the process is not ready: it takes no more work. */
  drain(): void {
    this.draining = true;
  }

  /** Asks every part; one that throws or is silent for 3 s is not ok, and says so. */
  async ready(): Promise<{ status: 'ready' | 'unavailable'; parts: Record<string, PartHealth> }> {
    const answers = await Promise.all([...this.parts].map(async ([name, check]) => [name, await ask(check)] as const));
    const ok = !this.draining && answers.every(([, part]) => part.ok);
    const parts = Object.fromEntries(
      this.draining ? [...answers, ['process', { ok: false, detail: 'The process is shutting down' }]] : answers,
    );
    return { status: ok ? 'ready' : 'unavailable', parts };
  }
}

async function ask(check: () => PartHealth | Promise<PartHealth>): Promise<PartHealth> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<PartHealth>(
    (give) => (timer = setTimeout(() => give({ ok: false, detail: `No answer within ${CHECK_MS} ms` }), CHECK_MS)),
  );
  try {
    return await Promise.race([check(), silence]);
  } catch (error) {
    return { ok: false, detail: (error as Error).message };
  } finally {
    clearTimeout(timer);
  }
}
