import { Recent } from '#kernel';
import { newKey, SubjectKey, type Carried } from './subject-key';
import type { KeyTable, StoredKey, Subject } from './key-table';
import { ERASED, holdsSealed, keysIn, replaceSealed, type KeyName } from './sealed-text';

/** Wraps keys with the master key: a SecretBox. */
export interface Wrapping {
  encrypt(text: string): string;
  decrypt(box: string): string;
}

/** Where other processes say that keys were destroyed: `Wake` of the platform. */
export interface KeyNews {
  on(channel: string, hear: (payload: string) => void): () => void;
  send(channel: string): void;
}

export interface SubjectKeysParts {
  readonly table: KeyTable;
  readonly wrapping: Wrapping;
  readonly news?: KeyNews;
  /** A key is believed for so long without a look at the table (30 s); news of an erasure come at once. */
  readonly believedMs?: number;
  /** So many keys need no look at the table (20,000). */
  readonly remembered?: number;
  /** Milliseconds, growing. */
  readonly now?: () => number;
}

/** A JSON text after its sealed values were opened. */
export interface Opened {
  readonly text: string;
  /** Whether one of them reads null because it was erased. */
  readonly erased: boolean;
}

interface Known {
  /** Null: destroyed, or never made. */
  readonly key: SubjectKey | null;
  readonly until: number;
}

interface Asked {
  readonly subject: Subject;
  readonly give: (key: SubjectKey) => void;
  readonly fail: (error: Error) => void;
}

const CHANNEL = 'subjects_erased';
const BELIEVED_MS = 30_000;
const REMEMBERED = 20_000;
/** Values sealed last: an answer tells what its command wrote. */
const CARRIED = 512;

/**
 * The keys of all subjects, as far as this process needs them: seals what is personal with its subject's key and opens it again.
 * Whatever was sealed with a key that was destroyed reads null.
 */
export class SubjectKeys {
  /** By workspace and subject: what seals. */
  private readonly live: Recent<string, Known>;
  /** By workspace, subject and generation: what opens. */
  private readonly named: Recent<string, Known>;
  private readonly carried = new Recent<string, Carried>(CARRIED);
  private asked: Asked[] = [];
  private asking = false;
  /** Raised by every erasure: what was read from the table before one is not believed after it. */
  private epoch = 0;
  private readonly believedMs: number;
  private readonly now: () => number;
  private readonly stopListening: (() => void) | undefined;

  constructor(private readonly parts: SubjectKeysParts) {
    this.believedMs = parts.believedMs ?? BELIEVED_MS;
    this.live = new Recent(parts.remembered ?? REMEMBERED);
    this.named = new Recent(parts.remembered ?? REMEMBERED);
    this.now = parts.now ?? (() => performance.now());
    this.stopListening = parts.news?.on(CHANNEL, () => this.forget());
  }

  /** The key that seals for a subject now, made when it has none; at once when it is in memory. */
  key(workspace: string, subject: string): SubjectKey | Promise<SubjectKey> {
    const known = this.live.get(`${workspace}\n${subject}`);
    if (known?.key && known.until > this.now()) return known.key;
    return new Promise((give, fail) => {
      this.asked.push({ subject: { workspace, subject }, give, fail });
      if (!this.asking) void this.ask();
    });
  }

  /** Opens every sealed value of a JSON text; undefined when a key for it is not in memory (then `open` fetches it). */
  openNow(workspace: string, json: string): Opened | undefined {
    if (!holdsSealed(json)) return { text: json, erased: false };
    const now = this.now();
    let isKnown = true;
    const opened = openedWith(json, (name) => {
      const known = this.named.get(nameOf(workspace, name));
      if (known && known.until > now) return known.key;
      isKnown = false;
      return null;
    });
    return isKnown ? opened : undefined;
  }

  async open(workspace: string, json: string): Promise<Opened> {
    return this.openNow(workspace, json) ?? (await this.opener(workspace, json))(json);
  }

  /** What opens a JSON text, and each of its values by itself: with the keys of one moment, also more than are remembered. */
  async opener(workspace: string, json: string): Promise<(part: string) => Opened> {
    const names = keysIn(json);
    for (;;) {
      const keys = await this.fetch(workspace, names);
      if (keys) return (part) => openedWith(part, (name) => keys.get(nameOf(workspace, name)) ?? null);
    }
  }

  /** Destroys keys, here and in every process. What they sealed cannot be read by anybody from now on. */
  async destroy(workspace: string, names: readonly KeyName[], at: string): Promise<void> {
    await this.parts.table.destroy(workspace, names, at);
    this.destroyed();
  }

  /** Keys were destroyed in the table: no process may use what it remembers of them. */
  destroyed(): void {
    this.forget();
    this.parts.news?.send(CHANNEL);
  }

  /** Every key that these subjects ever had in a workspace. */
  of(workspace: string, subjects: readonly string[]): Promise<StoredKey[]> {
    return this.parts.table.of(workspace, subjects);
  }

  close(): void {
    this.stopListening?.();
  }

  private forget(): void {
    this.epoch++;
    this.live.clear();
    this.carried.clear();
    this.named.clear();
  }

  /** What is asked for while one query is under way goes together in the next. */
  private async ask(): Promise<void> {
    this.asking = true;
    while (this.asked.length > 0) {
      const { asked, epoch } = this;
      this.asked = [];
      try {
        const subjects = new Map(asked.map(({ subject }) => [`${subject.workspace}\n${subject.subject}`, subject]));
        const stored = await this.parts.table.take([...subjects.values()], () => this.parts.wrapping.encrypt(newKey()));
        if (this.epoch !== epoch) {
          this.asked.push(...asked);
          continue;
        }
        const keys = new Map(stored.map((one) => [`${one.workspace}\n${one.subject}`, this.remember(one)!]));
        for (const { subject, give } of asked) give(keys.get(`${subject.workspace}\n${subject.subject}`)!);
      } catch (error) {
        for (const { fail } of asked) fail(error as Error);
      }
    }
    this.asking = false;
  }

  /** The keys of these names as the table has them now; undefined when something was erased meanwhile. */
  private async fetch(
    workspace: string,
    names: readonly KeyName[],
  ): Promise<ReadonlyMap<string, SubjectKey | null> | undefined> {
    const { epoch } = this;
    const until = this.now() + this.believedMs;
    const found = await this.parts.table.find(workspace, names);
    if (this.epoch !== epoch) return undefined;
    for (const name of names) this.named.set(nameOf(workspace, name), { key: null, until });
    return new Map(found.map((stored) => [nameOf(workspace, stored), this.remember(stored)]));
  }

  private remember(stored: StoredKey): SubjectKey | null {
    const { workspace, subject, generation, box } = stored;
    const key =
      box === null ? null : new SubjectKey({ subject, generation }, this.parts.wrapping.decrypt(box), this.carried);
    const known = { key, until: this.now() + this.believedMs };
    this.named.set(nameOf(workspace, stored), known);
    if (key) this.live.set(`${workspace}\n${subject}`, known);
    return key;
  }
}

const nameOf = (workspace: string, { subject, generation }: KeyName): string =>
  `${workspace}\n${subject}.${generation}`;

/** A JSON text with its sealed values opened by their keys; null: what that one sealed was erased. */
function openedWith(json: string, keyOf: (name: KeyName) => SubjectKey | null): Opened {
  let erased = false;
  const text = replaceSealed(json, ({ ciphertext, ...name }) => {
    const key = keyOf(name);
    if (key === null) erased = true;
    return key?.open(ciphertext) ?? ERASED;
  });
  return { text, erased };
}
