import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorReference } from './error-reference';

const root = join(__dirname, '../../..');

describe('docs/reference/errors.md', () => {
  it('is what the catalogues say (npm run docs writes it anew)', () =>
    expect(readFileSync(join(root, 'docs/reference/errors.md'), 'utf8')).toBe(errorReference()));

  it('leaves no catalogue out', () => {
    const files = ['libs', 'apps'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(root, folder, file)),
    );
    const catalogues = files.filter((file) => file.endsWith('.errors.ts'));
    expect(catalogues.length).toBeGreaterThan(10);
    const codes = catalogues.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/^ {2}([A-Z][A-Z_]+): \[/gm)].map(([, code]) => code),
    );
    expect(codes.filter((code) => !errorReference().includes(`| \`${code}\` |`))).toEqual([]);
  });
});
