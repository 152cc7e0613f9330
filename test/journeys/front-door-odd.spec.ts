import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, removeFolder } from '#testing';
import { Program } from '../harness/program';

const folder = () => mkdtempSync(join(tmpdir(), 'postledger-odd-'));
const start = (env: Record<string, string | undefined>, ...args: string[]) =>
  Program.start(['dist/apps/standalone/main.js', ...args], { PORT: '0', ...env });

describe('npm start at an odd moment, or with odd settings', () => {
  it('makes its database anew after it was killed while it made it', async () => {
    const made = folder();
    const killed = start({ DATA_DIR: made }, '--empty');
    const isBegun = (name: string) =>
      name.startsWith('cluster') && existsSync(join(made, 'postgres', name, 'PG_VERSION'));
    await eventually(() => expect(readdirSync(join(made, 'postgres')).some(isBegun)).toBe(true), {
      within: 60_000,
      every: 1,
    });
    killed.kill();
    await killed.ended;
    const again = start({ DATA_DIR: made }, '--empty');
    await again.line(/is ready/);
    expect(readdirSync(join(made, 'postgres')).sort()).toEqual(expect.arrayContaining(['cluster', 'password']));
    expect(await again.stop()).toBe(0);
    removeFolder(made);
  });
});
