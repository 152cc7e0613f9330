// npm run check: types, lint, import rules, format. Everything that can be told without running the program.
import { spawnSync } from 'node:child_process';
import { install } from '../apps/standalone/start.mjs';

const bin = (name) => `node_modules/.bin/${name}`;
const checks = [
  ['types', bin('tsc'), ['-p', 'tsconfig.json', '--noEmit', '--tsBuildInfoFile', '.cache/check.tsbuildinfo']],
  ['lint', bin('oxlint'), ['--quiet', '.']],
  ['import rules', bin('depcruise'), ['--config', 'test/dependency-rules.cjs', 'apps', 'libs', 'test']],
  ['format', bin('prettier'), ['--check', '--log-level', 'warn', '.']],
];

await install();
let failed = 0;
for (const [what, command, args] of checks) {
  const started = Date.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) failed++;
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${what} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}
process.exit(failed === 0 ? 0 : 1);
