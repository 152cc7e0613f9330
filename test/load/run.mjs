// npm run bench: measures this machine. Receiver, generator and feeder are processes of their own; warm-up, three runs each.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build, checkNode, install } from '../../apps/standalone/start.mjs';
import { machine, round, writeReport } from './report.mjs';

const SCENARIOS =
  'commands deliver1 deliver10 deliver100 fanout together hanging thousand twoProcesses backlog latency memory rebuild snapshots rendering reads audit';
const HELP = `npm run bench [-- options]

  --quick          one short run of each instead of three
  --only a,b       only these scenarios: ${SCENARIOS}
  --engines        Kafka, and the double of EventStoreDB, beside the embedded engines; nothing else
  --write          also writes docs/reference/performance.md and .json, of all scenarios
  --help           this text

Loopback only; some ten minutes in all (three with --quick). Results go to .cache/bench.json.
`;
const args = process.argv.slice(2);
if (args.includes('--help')) {
  process.stdout.write(HELP);
  process.exit(0);
}
const only = args.includes('--only') ? (args[args.indexOf('--only') + 1] ?? '').split(',') : undefined;
const wrong = whatIsWrong();
if (wrong) {
  process.stderr.write(`${wrong}\n`);
  process.exit(1);
}

/** Ten minutes are too long to find that an option was mistyped. */
function whatIsWrong() {
  const options = ['--quick', '--only', '--engines', '--write'];
  const unknown = args.find((arg, n) => !options.includes(arg) && args[n - 1] !== '--only');
  if (unknown !== undefined) return `${unknown} is not an option: there are ${options.join(', ')} and --help.`;
  const name = only?.find((each) => !SCENARIOS.split(' ').includes(each));
  if (name !== undefined) return `--only ${name || 'without a name'} is no scenario: there are ${SCENARIOS}.`;
  if (only && args.includes('--write')) return '--write makes the whole page anew: it goes without --only.';
  return undefined;
}

checkNode();
await install();
await build();
if (args.includes('--engines')) {
  const { compareEngines } = await import('./engines.mjs');
  await compareEngines({ quick: args.includes('--quick') });
  process.exit(0);
}
const { openReceiver, openSystem, spread } = await import('./stage.mjs');
const scenarios = await import('./scenarios.mjs');
const delivery = await import('./delivery.scenarios.mjs');

const quick = args.includes('--quick');
const runs = quick ? 1 : 3;
const stageSize = quick ? { seconds: 4, count: 10_000 } : { seconds: 10, count: 40_000 };

// name, what, unit, limit it is set against, target (and whether less is better)
const FIGURES = [
  ['commands', 'commands through HTTP, 64 clients', '/s', scenarios.commands, 'insert', 8_000],
  [
    'deliver1',
    'deliveries, appended event to recorded attempt, one endpoint',
    '/s',
    scenarios.deliveries(1),
    'posts',
    8_000,
  ],
  ['deliver10', 'the same, ten endpoints', '/s', scenarios.deliveries(10), 'posts', 8_000],
  ['deliver100', 'the same, a hundred endpoints', '/s', scenarios.deliveries(100), 'posts', 8_000],
  ['fanout', 'one event to a hundred endpoints', 'deliveries/s', scenarios.fanOut, 'posts', 9_000],
  [
    'together',
    'commands and deliveries at once, 32 clients, ten endpoints',
    'deliveries/s',
    scenarios.together,
    'posts',
    3_600,
  ],
  ['hanging', 'rate kept by nine endpoints while the tenth hangs', '×', scenarios.hanging, undefined, 0.9],
  ['thousand', 'rate kept by 950 endpoints while fifty others hang', '×', delivery.thousand, undefined, 0.9],
  [
    'twoProcesses',
    'deliveries that come twice from two processes on one database',
    '',
    delivery.twoProcesses,
    undefined,
    0,
    true,
  ],
  ['backlog', 'rate kept beside a million retries that wait', '×', delivery.backlog, undefined, 0.9],
  ['latency', 'command sent to webhook received at 200/s: p50', 'ms', scenarios.latency, undefined, 8, true],
  [
    'memory',
    'resident memory after 5× more deliveries (200,000 in a full run)',
    '×',
    scenarios.memory,
    undefined,
    1.2,
    true,
  ],
];

const results = [];

/** Keeps one figure, taken once or more, and prints it beside its target and its raw limit. */
function tell({ name, what, unit, taken, limit, target, lessIsBetter = false }) {
  const { min, median, max } = spread(taken.map(({ value }) => value));
  const { value: _, ...details } = taken[Math.floor(taken.length / 2)];
  const reached = lessIsBetter ? median <= target : median >= target;
  const ratio = limit && median / limit;
  results.push({ name, what, unit, runs: taken.length, min, median, max, target, reached, limit, ratio, ...details });
  // After each figure: what a later one breaks off is not lost.
  writeReport(results, args.includes('--write'));
  const numbers = Object.entries(details).filter(([, value]) => typeof value === 'number');
  const more = numbers.map(([key, value]) => `${key} ${round(value)}`);
  console.log(
    `${reached ? ' ' : '!'} ${name.padEnd(11)} ${String(round(median)).padStart(7)} ${unit} (${round(min)}–${round(max)}; target ${lessIsBetter ? '≤' : '≥'}${target}${limit ? `; ×${ratio.toFixed(2)} of ${Math.round(limit)} raw` : ''}${more.length ? `; ${more.join(', ')}` : ''})  ${what}`,
  );
}

const receiver = await openReceiver();
const system = await openSystem();
const stage = { system, receiver, ...stageSize };
try {
  console.log(
    `${machine.cores} cores (${machine.model}), ${machine.memoryGiB} GiB, Node ${machine.node}; all processes on this machine`,
  );
  if (!only || only.some((name) => name !== 'commands')) await scenarios.deliveries(1)({ ...stage, count: 3_000 });
  await scenarios.commands({ ...stage, seconds: quick ? 5 : 15 });
  for (const [name, what, unit, measure, limitName, target, lessIsBetter] of FIGURES) {
    if (only && !only.includes(name)) continue;
    const taken = [];
    for (let run = 0; run < runs; run++) {
      const before = system.cpu();
      const { operations, ...figure } = await measure(stage);
      const after = system.cpu();
      const each = (part) => ((after[part] - before[part]) * 1e6) / operations;
      taken.push({
        ...figure,
        ...(operations && { 'apps µs each': each('apps'), 'database µs each': each('database') }),
      });
    }
    const limit = limitName && (await scenarios.limits[limitName](stage));
    tell({ name, what, unit, taken, limit, target, lessIsBetter });
  }
} finally {
  receiver.close();
  await system.close();
}

const wanted = (name) => !only || only.includes(name);
if (wanted('rebuild')) {
  const { measureProjections } = await import('./projection.bench.mjs');
  const rates = [];
  for (let run = 0; run < runs; run++) rates.push(await measureProjections({ events: 200_000 }));
  for (const view of ['posts', 'audit'])
    tell({
      name: 'rebuild',
      what: `rebuild of the view ${view} from the log`,
      unit: 'events/s',
      taken: rates.map((each) => ({ value: each[view] })),
      limit: rates[0].bareInsert,
      target: 30_000,
    });
  tell({
    name: 'rebuild',
    what: 'share of the chain in the processor time of a rebuild of the audit log',
    unit: '×',
    taken: rates.map(({ chainShare }) => ({ value: chainShare })),
    target: 0.1,
    lessIsBetter: true,
  });
}
// Some minutes for five million entries; a quick run has a tenth of them, and only when it is asked for.
if (wanted('snapshots')) {
  const { measureSnapshots, ratios } = await import('./snapshots.bench.mjs');
  const taken = [];
  for (let run = 0; run < runs; run++) taken.push(ratios(await measureSnapshots()));
  for (const [name, process] of [
    ['known', 'that knows the stream'],
    ['unknown', 'that has just started'],
  ])
    tell({
      name: 'snapshots',
      what: `a command on 100,000 events against one on ten, in a process ${process}`,
      unit: '×',
      taken: taken.map((each) => ({ value: each[name], 'without snapshots ×': each.folded })),
      target: name === 'known' ? 1.5 : 5,
      lessIsBetter: true,
    });
}
if (quick ? only?.includes('audit') : wanted('audit')) {
  const { measureAudit } = await import('./audit.bench.mjs');
  const { entries, pages, export: exported } = await measureAudit({ entries: quick ? 500_000 : 5_000_000 });
  const [slowest, page] = Object.entries(pages).sort(([, one], [, other]) => other.p99 - one.p99)[0];
  tell({
    name: 'audit',
    what: `slowest page of an audit log of ${entries} entries (${slowest}): p99`,
    unit: 'ms',
    taken: [{ value: page.p99 }],
    target: 20,
    lessIsBetter: true,
  });
  for (const [name, { perSecond }] of Object.entries(exported))
    tell({ name: 'audit', what: `export (${name})`, unit: 'entries/s', taken: [{ value: perSecond }], target: 50_000 });
}
if (wanted('reads')) {
  const { measureReads } = await import('./reads.bench.mjs');
  for (const { name, ratios, details } of await measureReads({ runs, seconds: quick ? 3 : 6 }))
    tell({
      name: 'reads',
      what: `${name} with row-level security, 32 clients: of the rate without`,
      unit: '×',
      taken: ratios.map((value) => ({ value, ...details })),
      target: 0.85,
    });
}
if (wanted('rendering'))
  spawnSync(process.execPath, [join(import.meta.dirname, 'rendering.bench.mjs')], { stdio: 'inherit' });
