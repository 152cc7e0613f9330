import {
  createLogger,
  loadSettings,
  openEngines,
  reachEmbedded,
  SettingsError,
  sparingly,
  stopSignal,
  type Engines,
  type Settings,
} from '#platform';
import { rebuildable } from './projections/all-projections';
import type { Projection } from './projections/projection';
import { dropRetired, GRACE_MS, rebuild } from './rebuild/rebuild';
import { verifyProjection } from './rebuild/verify';

const HELP = `npm run projection -- <command>

  list              every projection: version, position, how far behind the log
  rebuild <name>    builds a view anew beside the present one and switches to it; after Ctrl-C or a kill the next
                    rebuild goes on where it was
  verify <name>     recomputes a view from the log and compares row by row; names the first difference (exit code 1)
  --help            this text

The database is the embedded one in DATA_DIR (.data), started for this when nothing runs there, or that of DATABASE_URL;
EVENT_STORE_URL says which log. Everything else may go on running. Readers see the former table until the new one has caught
up; it is dropped a minute after that, by the projector or by the next rebuild.

Views: ${rebuildable.map(({ name }) => name).join(', ')}
`;

const SAY_EVERY_MS = 1_000;

type Parts = Pick<Engines, 'db' | 'store'>;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function list({ db, store }: Parts): Promise<void> {
  const head = await store.head();
  const rows = await db.query<{
    name: string;
    version: number;
    status: string;
    position: number;
    process: string | null;
  }>(
    `select c.name, c.version, c.status, c.position, l.process from projector.checkpoint c left join projector.leader l
        on l.name = case c.status when 'current' then c.name when 'building' then c.name || '/' || c.shape end
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

async function rebuildNamed({ db, store }: Parts, projection: Projection): Promise<void> {
  const signal = stopSignal();
  for (const version of await dropRetired(db, projection, GRACE_MS))
    say(`Dropped version ${version}, which nobody reads any more.`);
  const now = sparingly(say, SAY_EVERY_MS);
  const version = await rebuild({ db, store }, projection, {
    signal,
    onBegin: ({ version, position }) =>
      say(`${projection.name}: version ${version} is built ${position > 0 ? `on from position ${position}` : 'anew'}`),
    // While the first stretch is written there is no pace yet.
    onProgress: ({ position, head, eventsPerSecond, secondsLeft }) =>
      eventsPerSecond > 0 &&
      now(
        () =>
          `${projection.name}: ${position} of ${head}, ${Math.round(eventsPerSecond)} events/s, ${Math.ceil(secondsLeft)} s left`,
      ),
  });
  if (version === undefined) process.exitCode = signal.reason as number;
  say(
    version === undefined
      ? 'Stopped; the next rebuild goes on from here.'
      : `${projection.name}: version ${version} is what readers see now. The former one is dropped after ${GRACE_MS / 1_000} s.`,
  );
}

async function verifyNamed({ db, store }: Parts, projection: Projection): Promise<void> {
  const now = sparingly(say, SAY_EVERY_MS);
  say(`${projection.name}: recomputing it from the log`);
  const { position, difference } = await verifyProjection({ db, store }, projection, (at, of) =>
    now(() => `${projection.name}: ${at} of ${of}`),
  );
  if (!difference) return say(`${projection.name} is equal to the log up to position ${position}.`);
  const { workspace, key, reason } = difference;
  say(
    `${projection.name} is not equal to the log: ${reason} ${key} of ${workspace} (position ${difference.position}).`,
  );
  process.exitCode = 1;
}

const COMMANDS: Readonly<Record<string, (parts: Parts, projection: Projection) => Promise<void>>> = {
  rebuild: rebuildNamed,
  verify: verifyNamed,
};

/** What the arguments ask for; SettingsError when they ask for nothing that there is. */
function asked([command, name, ...more]: readonly string[]): 'help' | ((parts: Parts) => Promise<void>) {
  if (command === undefined || command === '--help' || command === '-h') return 'help';
  const surplus = command === 'list' ? name : more[0];
  if (surplus !== undefined) throw new SettingsError(`${surplus} is one argument too many: --help shows the commands.`);
  if (command === 'list') return list;
  const work = COMMANDS[command];
  if (!work)
    throw new SettingsError(
      `${command} is not a command: there are list, rebuild <name> and verify <name> (--help says more).`,
    );
  const projection = rebuildable.find((it) => it.name === name);
  if (!projection)
    throw new SettingsError(
      `There is no view ${name ?? 'without a name'} to ${command}; there are: ${rebuildable.map((it) => it.name).join(', ')}.`,
    );
  return (parts) => work(parts, projection);
}

async function on(settings: Settings, work: (parts: Parts) => Promise<void>): Promise<void> {
  const engines = await openEngines(settings, {
    name: 'projection-cli',
    log: createLogger('projection-cli', 'warn'),
  });
  try {
    await work(engines);
  } finally {
    await engines.close();
  }
}

async function run(args: readonly string[]): Promise<void> {
  const work = asked(args);
  if (work === 'help') return void process.stdout.write(HELP);
  const isEmbedded = !process.env['DATABASE_URL'];
  const settings = loadSettings({ ...(isEmbedded && { POSTLEDGER_MODE: 'sandbox' }), ...process.env });
  if (!isEmbedded) return on(settings, work);
  const database = await reachEmbedded(settings.dataDir);
  try {
    await on({ ...settings, databaseUrl: database.url }, work);
  } finally {
    await database.close();
  }
}

// `… list | head` closes the pipe early; there is nobody left to tell.
process.stdout.on('error', () => process.exit());
run(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`${error instanceof SettingsError ? error.message : error.stack}\n`);
  process.exitCode = 2;
});
