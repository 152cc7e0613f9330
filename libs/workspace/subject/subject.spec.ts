import { decide, fold, instant } from '#kernel';
import { subjectDecider, type Subject } from './subject.decider';

const erase = (subject: Subject, ...generations: number[]) =>
  decide(
    subjectDecider,
    {
      type: 'EraseSubject',
      at: instant('2026-05-01T10:00:00.000Z'),
      actor: 'usr_operator',
      subjectId: 'usr_ada',
      keys: generations.map((generation) => ({ subject: 'usr_ada', generation })),
    },
    subject,
  );

it('is erased once for each of its keys', () => {
  const first = erase({ status: 'absent' }, 1);
  expect(first).toEqual([
    { type: 'SubjectErased', data: { subjectId: 'usr_ada', keys: [{ subject: 'usr_ada', generation: 1 }] } },
  ]);
  const erased = fold(subjectDecider, first);
  expect(erase(erased)).toEqual([]);
  expect(erase(erased, 1)).toEqual([]);
});

it('is erased again when there is something new to erase', () => {
  const erased = fold(subjectDecider, erase({ status: 'absent' }, 1));
  expect(erase(erased, 1, 2)[0]!.data.keys).toEqual([{ subject: 'usr_ada', generation: 2 }]);
});
