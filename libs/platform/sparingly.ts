/** Of lines that come often, as the progress of long work: says the first, then at most one every `everyMs` milliseconds. */
export function sparingly(say: (line: string) => void, everyMs = 3_000): (line: () => string) => void {
  let said = -Infinity;
  return (line) => {
    if (performance.now() - said < everyMs) return;
    said = performance.now();
    say(line());
  };
}
