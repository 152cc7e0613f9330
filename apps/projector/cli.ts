import { createLogger, fail, loadSettings, openEngines, type Engines } from '#platform';
import { rebuildable } from './projections/all-projections';
import type { Projection } from './projections/projection';
import { rebuild, dropRetired, type RebuildProgress } from './rebuild/rebuild';
import { verifyProjection } from './rebuild/verify';

const HELP = `npm run projection -- <command>

  list              every projection: version, position, how far behind the log
  rebuild <name>    builds a view anew beside the present one and switches; goes on where it was stopped
  verify <name>     recomputes a view from the log and compares row by row

DATABASE_URL says which database (and EVENT_STORE_URL which log). The system may go on running.
`;

/** Old tables stay so long after a switch. */
const GRACE_MS = 60_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const named = (name: string | undefined): Projection | undefined => {
  const found = rebuildable.find((projection) => projection.name === name);
  if (found) return found;
  say(
    `There is no view ${name ?? 'without a name'} to build or compare; there are: ${rebuildable.map((it) => it.name).join(', ')}.`,
  );
  process.exitCode = 2;
  return undefined;
};

async function list({ db, store }: Engines): Promise<void> {
  const head = await store.head();
  const rows = await db.query<{
    name: string;
    version: number;
    status: string;
    position: number;
    process: string | null;
  }>(
    `select c.name, c.version, c.status, c.position, l.process from projector.checkpoint c left join projector.leader l using (name)
      order by c.name, c.version`,
  );
  say(
    `${'projection'.padEnd(20)} version  ${'status'.padEnd(9)} ${'position'.padStart(12)} ${'behind'.padStart(10)}  led by`,
  );
  for (const { name, version, status, position, process: led } of rows)
    say(
      `${name.padEnd(20)} ${String(version).padStart(7)}  ${status.padEnd(9)} ${String(position).padStart(12)} ${(status === 'retired' ? '-' : String(Math.max(0, head - position))).padStart(10)}  ${status === 'current' ? (led ?? '-') : '-'}`,
    );
}

async function rebuildNamed({ db, store }: Engines, projection: Projection): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  for (const version of await dropRetired(db, projection, GRACE_MS))
    say(`Dropped version ${version}, which nobody reads any more.`);
  let said = 0;
  const onProgress = ({ position, head, eventsPerSecond, secondsLeft }: RebuildProgress) => {
    if (performance.now() - said < 2_000) return;
    said = performance.now();
    say(
      `${projection.name}: ${position} of ${head}, ${Math.round(eventsPerSecond)} events/s, ${Math.ceil(secondsLeft)} s left`,
    );
  };
  const version = await rebuild({ db, store }, projection, { onProgress, signal: stop.signal });
  say(
    version === undefined
      ? 'Stopped; the next rebuild goes on from here.'
      : `${projection.name}: version ${version} is what readers see now.`,
  );
}

async function verifyNamed({ db, store }: Engines, projection: Projection): Promise<void> {
  const { position, difference } = await verifyProjection({ db, store }, projection);
  if (!difference) return say(`${projection.name} is equal to the log up to position ${position}.`);
  const { workspace, key, reason } = difference;
  say(
    `${projection.name} is not equal to the log: ${reason} ${key} of ${workspace} (position ${difference.position}).`,
  );
  process.exitCode = 1;
}

async function run([command, name]: readonly string[]): Promise<void> {
  if (command !== 'list' && command !== 'rebuild' && command !== 'verify') return say(HELP);
  const projection = command === 'list' ? undefined : named(name);
  if (command !== 'list' && !projection) return;
  const engines = await openEngines(loadSettings(), {
    name: 'projection-cli',
    log: createLogger('projection-cli', 'warn'),
  });
  try {
    if (!projection) await list(engines);
    else if (command === 'rebuild') await rebuildNamed(engines, projection);
    else await verifyNamed(engines, projection);
  } finally {
    await engines.close();
  }
}

// `… list | head` closes the pipe early; there is nobody left to tell.
process.stdout.on('error', () => process.exit());
run(process.argv.slice(2)).catch(fail);
