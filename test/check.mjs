// npm run check: types, lint, import rules, format. Everything that can be told without running the program; all at once.
import { spawn } from 'node:child_process';
import { install } from '../apps/standalone/start.mjs';

const bin = (name) => `node_modules/.bin/${name}`;
const checks = [
  ['types', bin('tsc'), ['-p', 'tsconfig.json', '--noEmit', '--tsBuildInfoFile', '.cache/check.tsbuildinfo']],
  ['lint', bin('oxlint'), ['--quiet', '.']],
  ['import rules', bin('depcruise'), ['--config', 'test/dependency-rules.cjs', 'apps', 'libs', 'test']],
  ['format', bin('prettier'), ['--check', '--log-level', 'warn', '.']],
];

/** What a check has to say comes in one piece, under the others' or above it. */
function run([what, command, args]) {
  return new Promise((done) => {
    const started = Date.now();
    const said = [];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(chunk));
    child.on('error', (error) => said.push(Buffer.from(`${error.message}\n`)));
    child.on('close', (status) => {
      process.stdout.write(Buffer.concat(said));
      console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${what} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
      done(status === 0);
    });
  });
}

await install();
const results = await Promise.all(checks.map(run));
process.exit(results.every(Boolean) ? 0 : 1);
