/** What every sealed value in a JSON text begins with. No string that a user wrote holds it: its quotes would be escaped. */
const MARK = '{"$sealed":"';
const END = '"}';
const NAME = /^([A-Za-z0-9_-]{1,100})\.(\d{1,9})$/;
/** A nonce and a tag, in base64url. */
const LEAST_CIPHERTEXT = 38;

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

/** A sealed value: the text of a `$sealed`, which `partsOf` takes apart. */
export const sealedName = ({ subject, generation }: KeyName, ciphertext: string): string =>
  `${subject}.${generation}.${ciphertext}`;

/** The parts of a `$sealed`; undefined for what is none. */
export function partsOf(sealed: string): SealedParts | undefined {
  const dot = sealed.lastIndexOf('.');
  // The ciphertext itself is long, and its own tag says whether it is one.
  if (sealed.length - dot <= LEAST_CIPHERTEXT) return undefined;
  const [, subject, generation] = NAME.exec(sealed.slice(0, dot)) ?? [];
  if (subject === undefined) return undefined;
  return { subject, generation: Number(generation), ciphertext: sealed.slice(dot + 1) };
}

/** Whether a JSON text may hold sealed values. */
export const holdsSealed = (json: string): boolean => json.includes(MARK);

/** A sealed value where it stands in a JSON text: from `begin` up to `end`. */
interface SealedPlace extends SealedParts {
  readonly begin: number;
  readonly end: number;
}

function* placesIn(json: string): Generator<SealedPlace> {
  for (let begin = json.indexOf(MARK); begin >= 0; begin = json.indexOf(MARK, begin + 1)) {
    const end = json.indexOf('"', begin + MARK.length);
    const parts = json.startsWith(END, end) ? partsOf(json.slice(begin + MARK.length, end)) : undefined;
    if (parts) yield { ...parts, begin, end: end + END.length };
  }
}

/** The keys that the sealed values of a JSON text need. */
export function keysIn(json: string): KeyName[] {
  const names = new Map<string, KeyName>();
  for (const { subject, generation } of placesIn(json)) names.set(`${subject}.${generation}`, { subject, generation });
  return [...names.values()];
}

/** The JSON text with every sealed value replaced by the JSON that `open` gives for it. */
export function replaceSealed(json: string, open: (parts: SealedParts) => string): string {
  let replaced = '';
  let done = 0;
  for (const place of placesIn(json)) {
    replaced += json.slice(done, place.begin) + open(place);
    done = place.end;
  }
  return done === 0 ? json : replaced + json.slice(done);
}

/** Whose personal data a JSON text holds; null for nobody's. An event's is one subject's. */
export function subjectIn(json: string): string | null {
  for (const { subject } of placesIn(json)) return subject;
  return null;
}
