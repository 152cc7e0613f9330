import { decide, fold, type CommandBase, type Decider, type DomainError, type Message } from '#kernel';

/** What a command led to: say with `then` which events, with `fails` which refusal. */
export interface Outcome<E extends Message> {
  /** These events and no others; with none, that nothing happened. */
  then(...expected: E[]): void;
  /** A DomainError with this code; and nothing else. */
  fails(code: string): void;
}

export interface Given<C extends CommandBase, E extends Message> {
  given(...events: E[]): { when(command: C): Outcome<E> };
}

/** Tests of a decider as sentences: `given(scheduled).when(cancel).then(cancelled)`. */
export const scenariosOf = <C extends CommandBase, E extends Message, S>(decider: Decider<C, E, S>): Given<C, E> => ({
  given: (...events) => ({
    when: (command) => ({
      then: (...expected) => expect(decide(decider, command, fold(decider, events))).toEqual(expected),
      fails: (code) => expect(refusalOf(() => decide(decider, command, fold(decider, events)))).toBe(code),
    }),
  }),
});

function refusalOf(work: () => readonly Message[]): string {
  try {
    return `no refusal, but ${JSON.stringify(work())}`;
  } catch (error) {
    return (error as DomainError).code ?? String(error);
  }
}
