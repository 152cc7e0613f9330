import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { eventually, ownPort } from '#testing';
import { sample, signHeaders } from '#webhook-contracts';
import { generateSecret } from '#webhook-signing';
import { contract } from './recorded';

// What a receiver does: install the packed package in an empty folder, and run the examples of the guide, verbatim.

const root = join(__dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'receiver-'));
/** Packing builds where the sources are, which would make the program's own build stale: it is done on a copy. */
const copy = mkdtempSync(join(tmpdir(), 'webhook-signing-'));
const running = new Set<ChildProcess>();

const run = (command: string, args: readonly string[], cwd = folder) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  return { status, stdout: stdout.trim(), stderr };
};

/** The code block of the guide that names this file. */
function example(file: string): string {
  const guide = readFileSync(join(root, 'docs/guide/receive-webhooks.md'), 'utf8');
  const start = guide.indexOf(`file=${file}\n`);
  if (start < 0) throw new Error(`The guide has no example ${file}`);
  const body = guide.slice(guide.indexOf('\n', start) + 1);
  return body.slice(0, body.indexOf('\n```'));
}

/** Compiles and checks one TypeScript file against the installed package, as Node finds it unless said otherwise; the problems found, as text. */
function compile(file: string, resolution: ts.CompilerOptions = {}): string {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    typeRoots: [join(root, 'node_modules/@types')],
    types: ['node'],
    ...resolution,
  };
  const program = ts.createProgram([join(folder, file)], options);
  const problems = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  return problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')).join('\n');
}

beforeAll(() => {
  cpSync(join(root, 'libs/webhook-signing'), copy, { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const packed = run('npm', ['pack', '--pack-destination', folder], copy);
  if (packed.status !== 0) throw new Error(packed.stderr);
  const [tarball] = readdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const installed = run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${tarball}`]);
  if (installed.status !== 0) throw new Error(installed.stderr);
}, 180_000);

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  for (const made of [folder, copy]) rmSync(made, { recursive: true, force: true });
});

describe('the packed package in an empty folder', () => {
  const use = `const secret = generateSecret('pez'); const body = '{"id":"evt_1"}'; const timestamp = 1776866400;
    const headers = { 'X-Postez-Signature': signPostEz({ secret, timestamp, body }) };
    console.log(verifyPostEz({ secret, headers, body, now: timestamp }).id);`;

  it('brings nothing else along', () =>
    expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['@postledger']));

  it('is imported by an ES module', () => {
    writeFileSync(
      join(folder, 'use.mjs'),
      `import { generateSecret, signPostEz, verifyPostEz } from '@postledger/webhook-signing';\n${use}`,
    );
    expect(run('node', ['use.mjs'])).toEqual({ status: 0, stdout: 'evt_1', stderr: '' });
  });

  it('is required by CommonJS', () => {
    writeFileSync(
      join(folder, 'use.cjs'),
      `const { generateSecret, signPostEz, verifyPostEz } = require('@postledger/webhook-signing');\n${use}`,
    );
    expect(run('node', ['use.cjs'])).toEqual({ status: 0, stdout: 'evt_1', stderr: '' });
  });

  const bundler = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
  // Of compilers from before `exports`, and of projects that never moved on.
  const node10 = {
    module: ts.ModuleKind.CommonJS,
    moduleResolution: ts.ModuleResolutionKind.Node10,
    ignoreDeprecations: '6.0',
  };

  it.each([
    ['types.mts', 'Node', {}],
    ['types.cts', 'Node', {}],
    ['types.ts', 'a bundler', bundler],
    ['types.ts', 'Node before exports', node10],
  ])('has types for %s where %s resolves it', (file, _, resolution) => {
    writeFileSync(
      join(folder, file),
      `import { verifyStandard, WebhookVerificationError, type VerifiedStandard } from '@postledger/webhook-signing';
       export const verified = (): VerifiedStandard => verifyStandard({ secret: 'whsec_AAAA', headers: {}, body: '' });
       export const code = new WebhookVerificationError('ID_INVALID', '').code satisfies string;
       // @ts-expect-error: a body that was parsed is refused by the compiler already
       export const wrong = () => verifyStandard({ secret: 'whsec_AAAA', headers: {}, body: { parsed: true } });`,
    );
    expect(compile(file, resolution)).toBe('');
  });
});

describe.each(['express.mjs', 'fastify.mjs', 'nest.ts'])('the example %s of the guide', (file) => {
  const secret = generateSecret('whsec');
  let url = '';
  let output = '';

  beforeAll(async () => {
    for (const name of ['express', 'fastify', '@nestjs', 'reflect-metadata', 'rxjs']) {
      const target = join(folder, 'node_modules', name);
      mkdirSync(join(folder, 'node_modules'), { recursive: true });
      if (!readdirSync(join(folder, 'node_modules')).includes(name))
        symlinkSync(join(root, 'node_modules', name), target);
    }
    writeFileSync(join(folder, file), example(file));
    if (file.endsWith('.ts')) expect(compile(file)).toBe('');
    const port = await ownPort();
    url = `http://127.0.0.1:${port}/hooks`;
    const child = spawn(process.execPath, [file.replace(/\.ts$/, '.js')], {
      cwd: folder,
      env: { ...process.env, PORT: String(port), WEBHOOK_SECRET: secret },
    });
    running.add(child);
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (text: Buffer) => (output += text.toString()));
      child.stdout.on('data', (text: Buffer) => {
        output += text.toString();
        if (output.includes('listening')) resolve();
      });
      child.once('exit', (code) => reject(new Error(`${file} ended with ${code}: ${output}`)));
    });
  }, 600_000);

  const post = async (body: string, headers: Record<string, string>) => {
    const response = await fetch(url, { method: 'POST', body, headers });
    return { status: response.status, text: await response.text() };
  };
  const signed = (name = 'core') => {
    const by = contract(name);
    const rendered = sample(by, 'post.partial');
    const timestampSeconds = Math.floor(Date.now() / 1000);
    return { ...rendered, headers: signHeaders(by, [secret], { ...rendered, timestampSeconds, sequence: 1 }) };
  };

  it.each(['core', 'standard', 'cloudevents'])('takes what Postledger signed by the contract %s', async (name) => {
    const { id, body, headers } = signed(name);
    expect(await post(body, headers)).toMatchObject({ status: 204 });
    await eventually(() => expect(output).toContain(`received ${id} post.partial`));
  });

  it('refuses a body that was changed on the way, and says why', async () => {
    const { body, headers } = signed();
    const answer = await post(body.replace('pst_abc123', 'pst_abc124'), headers);
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('SIGNATURE_MISMATCH');
  });
});
