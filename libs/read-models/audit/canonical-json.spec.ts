import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { hashOf, HIDDEN, withoutSecrets, type AuditEntry } from './audit-entry';
import { canonicalJson } from './canonical-json';

const GUIDE = join(__dirname, '../../../docs/guide/audit.md');

const entry = (data: object, previousHash: string | null, position: number): AuditEntry => {
  const open = {
    id: `evt_${position}`,
    position,
    at: '2026-05-01T10:00:00.000Z',
    action: 'PostScheduled',
    entityType: 'post',
    entityId: 'pst_1',
    actor: 'usr_ä',
    correlationId: 'c"1',
    causationId: null,
    revisionBefore: position === 1 ? null : position - 2,
    revision: position - 1,
    data,
    previousHash,
  };
  return { ...open, hash: hashOf(open) };
};

describe('canonical JSON', () => {
  it('has one spelling, whatever the order of the members', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'ü' }], a: -0.5, e: undefined })).toBe(
      '{"a":-0.5,"b":[1,{"c":"ü","d":null}]}',
    );
  });

  it('says the same as the value it was made from', () =>
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    ));

  it('writes every text and every name as ECMAScript does', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(canonicalJson(text)).toBe(JSON.stringify(text));
        expect(canonicalJson({ [text]: [text] })).toBe(JSON.stringify({ [text]: [text] }));
      }),
      { examples: [['"'], ['\\'], ['a\n'], ['\u007f\ud800']] },
    ));
});

describe('an audit entry', () => {
  it('hides the box of a secret, wherever it stands', () => {
    const data = { config: { secrets: [{ id: 's1', box: 'v1.xyz' }] }, box: 'v1.abc', name: 'box' };
    expect(withoutSecrets(data)).toEqual({
      config: { secrets: [{ id: 's1', box: HIDDEN }] },
      box: HIDDEN,
      name: 'box',
    });
  });

  it('is checked by the script of the guide, in another language', () => {
    if (spawnSync('python3', ['--version']).status !== 0) {
      process.stderr.write('No python3 on this machine: the chain was not checked in Python.\n');
      return;
    }
    const script = /```python\n([\s\S]*?)```/.exec(readFileSync(GUIDE, 'utf8'))![1]!;
    const first = entry({ text: 'Grüße 🥐 "x"\n', z: 1, a: [1.5, null, true], n: 12345678901 }, null, 1);
    const second = entry({ b: {}, a: '</script>' }, first.hash, 2);
    const check = (entries: readonly AuditEntry[]): string =>
      execFileSync('python3', ['-c', script], {
        input: entries.map((it) => `${JSON.stringify(it)}\n`).join(''),
        encoding: 'utf8',
        // Also where text is not UTF-8 unless somebody says so, as on Windows.
        env: { ...process.env, LC_ALL: 'C', PYTHONUTF8: '0', PYTHONCOERCECLOCALE: '0', PYTHONIOENCODING: 'cp1252' },
      });
    expect(check([second, first])).toBe('2 entries, unbroken\n');
    expect(check([{ ...second, actor: 'usr_2' }, first])).toBe('broken at evt_2\n');
    expect(check([second, { ...first, hash: second.hash }])).toBe('broken at evt_1\n');
  });
});
