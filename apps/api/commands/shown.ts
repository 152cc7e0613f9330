/** Shows the thing that a command has left, as its answer has it. A command that was not refused leaves one. */
export const shownBy =
  <There extends { readonly status: string }, Shown>(present: (thing: There) => Shown, absent: () => Error) =>
  (state: There | { readonly status: 'absent' }): Shown => {
    if (state.status === 'absent') throw absent();
    return present(state as There);
  };
