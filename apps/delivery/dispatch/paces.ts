import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '#postgres';
import type { Pace } from './pace';

export interface PacesNeeds {
  readonly db: Database;
  readonly onFault: (error: Error) => void;
}

interface Asked {
  readonly endpoint: number;
  readonly pace: Pace;
  readonly onGiven: () => void;
}

const AGAIN_MS = 1_000;

/** Gets turns for endpoints with a rate, which all processes share by the database: those of many endpoints in one statement. */
export class Paces {
  private waiting: Asked[] = [];
  private asking = false;
  private stopped = false;

  constructor(private readonly needs: PacesNeeds) {}

  /** Asks for the pace's next turns, unless that is under way. */
  ask(endpoint: number, pace: Pace, onGiven: () => void): void {
    if (pace.isAsked) return;
    pace.isAsked = true;
    this.waiting.push({ endpoint, pace, onGiven });
    if (!this.asking) void this.askAll();
  }

  stop(): void {
    this.stopped = true;
  }

  private async askAll(): Promise<void> {
    this.asking = true;
    while (this.waiting.length > 0 && !this.stopped) {
      // Of an endpoint whose rate has just changed both the old and the new pace may ask.
      const asked = [...new Map(this.waiting.map((each) => [each.endpoint, each])).values()];
      this.waiting = [];
      try {
        await this.take(asked);
      } catch (error) {
        if (this.stopped) return;
        this.needs.onFault(error as Error);
        this.waiting.unshift(...asked);
        await pause(AGAIN_MS);
      }
    }
    this.asking = false;
  }

  private async take(asked: readonly Asked[]): Promise<void> {
    const [row] = await this.needs.db.query<{ waits: number[] }>('select delivery.take_turns($1, $2, $3) as waits', [
      asked.map(({ endpoint }) => endpoint),
      asked.map(({ pace }) => pace.perSecond),
      asked.map(({ pace }) => pace.span),
    ]);
    if (this.stopped) return;
    const now = performance.now();
    asked.forEach(({ pace, onGiven }, nth) => {
      pace.given(now + row!.waits[nth]!);
      onGiven();
    });
  }
}
