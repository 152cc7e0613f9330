/** Shows the progress of long work: of the lines that come, the first, then at most one every `everyMs` milliseconds. */
export function sparingly(say: (line: string) => void, everyMs: number): (line: () => string) => void {
  let said = -Infinity;
  return (line) => {
    if (performance.now() - said < everyMs) return;
    said = performance.now();
    say(line());
  };
}
