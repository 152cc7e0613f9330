import { loadSettings, SettingsError, sparingly, stopSignal } from '#platform';
import { outliveReaders, say } from '../terminal';
import { firstDifference, summarise } from './compare-logs';
import { copyLog } from './copy-log';
import { Opener } from './logs';
import { HELP, parseOptions, type MigrateOptions } from './options';
import { switchPositions } from './switch-positions';
import { StoppedError } from './walk';

const SAY_EVERY_MS = 2_000;

async function migrateStore(options: MigrateOptions, opener: Opener, signal: AbortSignal): Promise<void> {
  const [source, target] = [
    await opener.log(options.from, { isOnlyRead: options.switch === undefined }),
    await opener.log(options.to),
  ];
  const now = sparingly(say, SAY_EVERY_MS);
  say(`Copying from ${source.shown} to ${target.shown}`);
  const { present, copied, upTo } = await copyLog(source.store, target.store, {
    atOnce: target.atOnce,
    signal,
    onProgress: ({ copied, eventsPerSecond, secondsLeft }) =>
      now(() => `  ${copied} events, ${Math.round(eventsPerSecond)} events/s, ${Math.ceil(secondsLeft)} s left`),
    onPresent: (events) => now(() => `  ${events} events are there`),
  });
  if (signal.aborted) throw new StoppedError();
  say(`${copied} events copied, ${present} were there`);

  const counted = (what: string) => (events: number) => now(() => `  comparing: ${events} events of the ${what} read`);
  const summaries = [
    await summarise(source.store, { upTo, signal, onCount: counted('source') }),
    await summarise(target.store, { signal, onCount: counted('target') }),
  ] as const;
  const difference = await firstDifference(source.store, target.store, summaries);
  if (difference) throw new SettingsError(`The copy is not equal: ${difference}.`);
  say(`Equal: ${summaries[0].events} events in ${summaries[0].streams.size} streams, SHA-256 ${summaries[1].hash}`);

  if (!options.switch)
    return say('Only the log was copied: --help says how views and deliveries are told of it (--switch).');
  const switched = await switchPositions(await opener.database(options.switch), {
    source: source.store,
    target: target.store,
    signal,
    onPlaced: (events) => now(() => `  switching: the places of ${events} events found`),
    ...(options.bus !== undefined && { bus: options.bus }),
  });
  say(
    switched.isNew
      ? `Switched ${switched.events} places; start the apps on ${target.shown}. The audit log is written anew, see its lag in health.`
      : 'The database was switched already.',
  );
}

async function run(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') return void process.stdout.write(HELP);
  const signal = stopSignal();
  const opener = new Opener(loadSettings({ POSTLEDGER_MODE: 'sandbox', ...process.env }).dataDir);
  try {
    await migrateStore(options, opener, signal);
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error;
    process.exitCode = signal.reason as number;
    say('Stopped; the next run goes on from here.');
  } finally {
    await opener.close();
  }
}

outliveReaders();
run().catch((error: unknown) => {
  const { message, stack } = error as Error;
  process.stderr.write(`${error instanceof SettingsError ? message : stack}\n`);
  process.exitCode = 1;
});
