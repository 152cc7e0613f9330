import { decide, fold, instant } from '#kernel';
import { subjectDecider, type Subject } from './subject.decider';
import type { ErasedKey } from './subject.events';

const key = (generation: number, subject = 'usr_ada'): ErasedKey => ({ subject, generation });
const erase = (subject: Subject, ...keys: ErasedKey[]) =>
  decide(
    subjectDecider,
    {
      type: 'EraseSubject',
      at: instant('2026-05-01T10:00:00.000Z'),
      actor: 'usr_operator',
      subjectId: 'usr_ada',
      keys,
    },
    subject,
  );

it('is erased once for each of its keys', () => {
  const first = erase({ status: 'absent' }, key(1));
  expect(first).toEqual([{ type: 'SubjectErased', data: { subjectId: 'usr_ada', keys: [key(1)] } }]);
  const erased = fold(subjectDecider, first);
  expect(erase(erased)).toEqual([]);
  expect(erase(erased, key(1))).toEqual([]);
});

it('is erased again when there is something new to erase', () => {
  const erased = fold(subjectDecider, erase({ status: 'absent' }, key(1)));
  const again = erase(erased, key(1), key(2));
  expect(again[0]!.data.keys).toEqual([key(2)]);
  // All of them are to be destroyed, should the run that said so first have got no further.
  expect(fold(subjectDecider, again, erased)).toMatchObject({ keys: [key(1), key(2)] });
});

it('is erased again when what belongs to it has a key of the same generation', () => {
  const erased = fold(subjectDecider, erase({ status: 'absent' }, key(1)));
  expect(erase(erased, key(1), key(1, 'inv_1'))[0]!.data.keys).toEqual([key(1, 'inv_1')]);
});
