import { shared } from '#kernel';

/** What one part of a process says of itself: what is missing, when it cannot work. */
export type PartHealth = ({ readonly ok: true } | { readonly ok: false; readonly detail: string }) & {
  readonly [fact: string]: unknown;
};

/** The newest thing that went wrong in a part, mended or not. */
export interface LastError {
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly message: string;
}

const CHECK_MS = 3_000;

/** The parts of a process, asked together. */
export class Health {
  private readonly parts = new Map<string, () => PartHealth | Promise<PartHealth>>();
  private readonly lastErrors = new Map<string, LastError>();
  private draining = false;

  part(name: string, check: () => PartHealth | Promise<PartHealth>): void {
    this.parts.set(name, check);
  }

  /** A fault that the part mends by itself: told with its health as the last one, until another comes. */
  fault(name: string, { message }: Error): void {
    this.lastErrors.set(name, { at: new Date().toISOString(), message });
  }

  /** From now on the process is not ready: it takes no more work. */
  drain(): void {
    this.draining = true;
  }

  /**
   * Asks every part; one that throws or is silent for 3 s is not ok, and says so. Those who ask meanwhile are answered alike: they need no key,
   * and each would cost the engines what a command does.
   */
  readonly ready = shared(() => this.ask());

  private async ask(): Promise<{ status: 'ready' | 'unavailable'; parts: Record<string, PartHealth> }> {
    const answers = await Promise.all(
      [...this.parts].map(async ([name, check]) => [name, await this.told(name, check)] as const),
    );
    const ok = !this.draining && answers.every(([, part]) => part.ok);
    const parts = Object.fromEntries(
      this.draining ? [...answers, ['process', { ok: false, detail: 'The process is shutting down' }]] : answers,
    );
    return { status: ok ? 'ready' : 'unavailable', parts };
  }

  private async told(name: string, check: () => PartHealth | Promise<PartHealth>): Promise<PartHealth> {
    const part = await answerOf(check);
    if (!part.ok) this.fault(name, new Error(part.detail));
    const lastError = this.lastErrors.get(name);
    return lastError ? { ...part, lastError } : part;
  }
}

async function answerOf(check: () => PartHealth | Promise<PartHealth>): Promise<PartHealth> {
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
