import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(__dirname, 'migrations');

/** `sha256sum *.sql`, as it was when each migration came. */
const known = new Map(
  readFileSync(join(__dirname, 'migrations.sha256'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [hash, name] = line.split(/\s+/);
      return [name!, hash!] as const;
    }),
);

describe('migrations', () => {
  it('only ever come to those that are there: a database that has one never runs it again', () => {
    const present = readdirSync(FOLDER)
      .sort()
      .map(
        (name) =>
          [
            name,
            createHash('sha256')
              .update(readFileSync(join(FOLDER, name)))
              .digest('hex'),
          ] as const,
      );
    // A new one gets its line in migrations.sha256; what one should have said is said by the next.
    expect(present).toEqual([...known]);
  });
});
