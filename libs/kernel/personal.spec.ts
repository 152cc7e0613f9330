import { asBefore, byActor, isSealed } from './personal';

describe('something personal', () => {
  it('is whose it was to write: a person’s, or the key’s that named nobody', () => {
    const owners = ['usr_ada', 'key_1', 'system', 'publisher'].map((actor) => byActor({}, actor));
    expect(owners).toEqual(['usr_ada', 'key_1', null, null]);
    expect(asBefore({}, 'usr_ada')).toBeNull();
  });

  it('is sealed in a form that no text of a user has', () => {
    expect(isSealed({ $sealed: 'usr_ada.1.x' })).toBe(true);
    for (const other of ['{"$sealed":"usr_ada.1.x"}', { $sealed: 1 }, null, undefined])
      expect(isSealed(other)).toBe(false);
  });
});
