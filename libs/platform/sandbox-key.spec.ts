import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeFolder } from '#testing';
import { SettingsError } from './config/settings';
import { sandboxKey } from './sandbox-key';

describe('the secret key of a sandbox', () => {
  let base: string;
  let dataDir: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'postledger-key-'));
    dataDir = join(base, 'data');
  });
  afterEach(() => removeFolder(base));

  it('is made at the first start, and the same at every other', () => {
    const key = sandboxKey({ mode: 'sandbox', dataDir });
    expect(Buffer.from(key, 'base64')).toHaveLength(32);
    expect(sandboxKey({ mode: 'sandbox', dataDir })).toBe(key);
    expect(sandboxKey({ mode: 'sandbox', dataDir: join(base, 'other') })).not.toBe(key);
  });

  it('is that of the process which makes it, for another that starts at the same moment', () => {
    const [file, lock, key] = [join(dataDir, 'secret-key'), join(dataDir, 'owner.lock'), randomBytes(32)];
    mkdirSync(lock, { recursive: true });
    const making = `const fs = require('node:fs'); const [, file, lock, key] = process.argv;
      fs.writeFileSync(file, key); fs.rmdirSync(lock);`;
    spawn(process.execPath, ['-e', making, file, lock, key.toString('base64')]);
    expect(sandboxKey({ mode: 'sandbox', dataDir })).toBe(key.toString('base64'));
  });

  it('is made in no production, nor in the place of a damaged one', () => {
    expect(() => sandboxKey({ mode: 'production', dataDir })).toThrow(SettingsError);
    expect(existsSync(dataDir)).toBe(false);
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'secret-key'), 'half a k');
    expect(() => sandboxKey({ mode: 'sandbox', dataDir })).toThrow('secret-key is damaged');
  });

  it('is refused a folder that is none', () => {
    writeFileSync(dataDir, '');
    const below = join(dataDir, 'below');
    expect(() => sandboxKey({ mode: 'sandbox', dataDir: below })).toThrow(`${below} is not a folder`);
  });
});
