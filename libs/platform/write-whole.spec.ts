import { linkSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '#testing';
import { writeWhole } from './write-whole';

it('puts a new file in the place of the old one, which stays whole for whoever has it open', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postledger-whole-'));
  const [file, opened] = [join(folder, 'key'), join(folder, 'opened')];
  writeFileSync(file, 'the text of before');
  linkSync(file, opened);
  writeWhole(file, 'the text of now');
  expect([readFileSync(opened, 'utf8'), readFileSync(file, 'utf8')]).toEqual(['the text of before', 'the text of now']);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder).sort()).toEqual(['key', 'opened']);
  removeFolder(folder);
});
