/**
 * A personal value at rest: `<subject>.<generation>.<ciphertext>`, readable only with that key of its subject. An object and not
 * a text, so that nothing a user writes can be mistaken for one.
 */
export interface Sealed {
  readonly $sealed: string;
}

/** Something personal: as a command brings it, and sealed from the moment it is stored. Who decides passes it on unread. */
export type Personal<T = string> = T | Sealed;

/**
 * Whose a personal field is: the id of its subject, or null when it is nobody's. Of `data` it may look at what is not personal;
 * `actor` is who caused the event.
 */
export type Owner<Data extends object = object> = { of(data: Data, actor: string): string | null }['of'];

/** Whether a value in the data of an event is a sealed one: no text of a user can look like it. */
export const isSealed = (value: unknown): value is Sealed =>
  typeof value === 'object' && value !== null && typeof (value as Partial<Sealed>).$sealed === 'string';

/** What somebody wrote is theirs: a person's, or the key's that acted without naming one. What the system writes is nobody's. */
export const byActor: Owner = (_, actor) => (/^(usr|key)_/.test(actor) ? actor : null);

/** The field repeats what an earlier event of the stream said: it comes sealed for whoever it belonged to there. */
export const asBefore: Owner = () => null;
