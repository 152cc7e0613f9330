// npm test and npm run test:engines: installs and builds what is missing, runs the suites, ends with one plain line.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { build, checkNode, install } from '../apps/standalone/start.mjs';
import { memoryFolder, remove } from './memory-folder.mjs';

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  console.log(
    'npm test [-- <jest options or paths>]          everything that needs Node alone\nnpm run test:engines [-- <options or paths>]   the suites on Apache Kafka and EventStoreDB',
  );
  process.exit(0);
}
const engines = args[0] === '--engines';
const passed = args.filter((arg) => arg !== '--engines');
const results = `.cache/results-${engines ? 'engines' : 'node'}.json`;

checkNode();
await install();
await build();
mkdirSync('.cache', { recursive: true });
rmSync(results, { force: true });
const versions = '.cache/engine-versions.ndjson';
rmSync(versions, { force: true });
// The engines' suites, which wait more than they work, write to the disk.
const folder = engines || process.env.TMPDIR ? undefined : memoryFolder();
// Ctrl-C ends jest, and then this.
process.on('SIGINT', () => undefined);
const { status } = spawnSync(
  process.execPath,
  [
    'node_modules/jest/bin/jest.js',
    '-c',
    'test/jest.config.cjs',
    '--json',
    `--outputFile=${results}`,
    // Each starts a Kafka of its own: more at once take the time from each other. And each waits for a third of its time, as for an outage to last.
    ...(engines ? ['--maxWorkers=3'] : []),
    ...passed,
  ],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, POSTLEDGER_ENGINES: engines ? '1' : '', ...(folder && { TMPDIR: folder }) },
  },
);
if (folder) remove(folder);
let counts;
try {
  counts = JSON.parse(readFileSync(results, 'utf8'));
} catch (error) {
  console.log(`The test run left no result: ${error.message}`);
  process.exit(status || 1);
}
if (engines) for (const line of engineLines()) console.log(line);
const broken = counts.numRuntimeErrorTestSuites;
const skipped = counts.numPendingTests + counts.numTodoTests;
console.log(
  `${counts.numPassedTests} passed, ${counts.numFailedTests + broken} failed${skipped ? `, ${skipped} skipped` : ''}${engines && !process.env.ESDB_URL ? '; EventStoreDB was its double: ESDB_URL names no real node' : ''}`,
);
process.exit(status ?? 1);

/** One line for each combination of engines: what its suites counted, and the versions that the program's health told. */
function engineLines() {
  const told = existsSync(versions) ? readFileSync(versions, 'utf8').trim().split('\n') : [];
  const tests = counts.testResults.flatMap(({ assertionResults }) => assertionResults);
  return told.map((line) => {
    const { suite, ...parts } = JSON.parse(line);
    const own = tests.filter(({ ancestorTitles: [title = ''] }) => title.endsWith(` on ${suite}`));
    const of = (wanted) => own.filter(({ status }) => status === wanted).length;
    const stood = Object.entries(parts).map(([part, { engine, version }]) => `${part} ${engine} ${version}`);
    return `${suite}: ${of('passed')} passed, ${of('failed')} failed (${stood.join('; ')})`;
  });
}
