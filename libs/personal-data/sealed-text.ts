/** What every sealed value in a JSON text begins with. No string that a user wrote holds it: its quotes would be escaped. */
const MARK = '{"$sealed":"';
const SEALED = /\{"\$sealed":"([A-Za-z0-9_-]{1,100})\.(\d{1,9})\.([A-Za-z0-9_-]{38,})"\}/g;
const NAME = /^([A-Za-z0-9_-]{1,100})\.(\d{1,9})\.([A-Za-z0-9_-]{38,})$/;

/** A key of a subject: its first is generation 1, and after an erasure comes the next. */
export interface KeyName {
  readonly subject: string;
  readonly generation: number;
}

/** A sealed value taken apart. */
export interface SealedParts extends KeyName {
  readonly ciphertext: string;
}

/** What a value reads once it was erased, in JSON. */
export const ERASED = 'null';

export const sealedName = ({ subject, generation }: KeyName, ciphertext: string): string =>
  `${subject}.${generation}.${ciphertext}`;

/** The parts of a `$sealed`; undefined for what is none. */
export function partsOf(sealed: string): SealedParts | undefined {
  const found = NAME.exec(sealed);
  return found ? { subject: found[1]!, generation: Number(found[2]), ciphertext: found[3]! } : undefined;
}

/** Whether a JSON text may hold sealed values. */
export const holdsSealed = (json: string): boolean => json.includes(MARK);

/** The keys that the sealed values of a JSON text need. */
export function keysIn(json: string): KeyName[] {
  const names = new Map<string, KeyName>();
  for (const [, subject, generation] of json.matchAll(SEALED))
    names.set(`${subject}.${generation}`, { subject: subject!, generation: Number(generation) });
  return [...names.values()];
}

/** The JSON text with every sealed value replaced by the JSON that `open` gives for it. */
export const replaceSealed = (json: string, open: (parts: SealedParts) => string): string =>
  json.replace(SEALED, (_, subject: string, generation: string, ciphertext: string) =>
    open({ subject, generation: Number(generation), ciphertext }),
  );

/** Whose personal data a JSON text holds; null for nobody's. An event's is one subject's. */
export function subjectIn(json: string): string | null {
  return holdsSealed(json) ? (keysIn(json)[0]?.subject ?? null) : null;
}
