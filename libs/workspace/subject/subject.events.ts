import type { EventSchemas, Message } from '#kernel';

/** A key that personal data was sealed with. */
export interface ErasedKey {
  readonly subject: string;
  readonly generation: number;
}

/** What these keys had sealed can be read by nobody from here on: the subject's own, and those of what belongs to it. */
export type SubjectEvent = Message<
  'SubjectErased',
  { readonly subjectId: string; readonly keys: readonly ErasedKey[] }
>;

export const subjectEvents: EventSchemas<SubjectEvent> = {
  SubjectErased: { version: 1 },
};
