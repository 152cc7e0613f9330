import { decider, type Command } from '#kernel';
import type { ErasedKey, SubjectEvent } from './subject.events';

export type SubjectCommand = Command<
  'EraseSubject',
  {
    readonly subjectId: string;
    /** Those that can still be read. */
    readonly keys: readonly ErasedKey[];
  }
>;

/** Somebody, or something, that personal data belongs to. It is known here from its first erasure on. */
export type Subject =
  | { readonly status: 'absent' }
  | { readonly status: 'erased'; readonly subjectId: string; readonly keys: readonly ErasedKey[] };

const isSame = (one: ErasedKey, other: ErasedKey): boolean =>
  one.subject === other.subject && one.generation === other.generation;

export const subjectDecider = decider<SubjectCommand, SubjectEvent, Subject>({
  initial: { status: 'absent' },
  decide: {
    EraseSubject: ({ subjectId, keys }, subject) => {
      const before = subject.status === 'absent' ? [] : subject.keys;
      const fresh = keys.filter((key) => !before.some((it) => isSame(it, key)));
      return fresh.length === 0 ? [] : [{ type: 'SubjectErased', data: { subjectId, keys: fresh } }];
    },
  },
  evolve: {
    SubjectErased: (subject, { subjectId, keys }) => ({
      status: 'erased',
      subjectId,
      keys: [...(subject.status === 'absent' ? [] : subject.keys), ...keys],
    }),
  },
});
