import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  fail,
  loadSettings,
  SettingsError,
  startApp,
  startEmbedded,
  stopOnSignals,
  takeDataDir,
  type Engines,
  type Settings,
} from '#platform';
import { composition } from './composition';
import { firstKey, type FirstKey } from './first-key';
import { greeting } from './greeting';
import { playSample } from './sample/sample';
import { outliveReaders, say, step } from './terminal';

async function main(): Promise<void> {
  outliveReaders();
  const args = process.argv.slice(2);
  if (args.includes('--help') || args.includes('-h'))
    return void process.stdout.write(readFileSync(join(__dirname, 'help.txt'), 'utf8'));
  const unknown = args.find((arg) => arg !== '--empty');
  if (unknown !== undefined) throw new SettingsError(`${unknown} is not an option: there are --empty and --help.`);

  const given = loadSettings({ POSTLEDGER_MODE: 'sandbox', LOG_LEVEL: 'warn', DATABASE_POOL: '24', ...process.env });
  const dataDir = resolve(given.dataDir);
  const release = await takeDataDir(dataDir);
  process.once('exit', release);

  const database = given.databaseUrl
    ? undefined
    : await step('starting the embedded database', () => startEmbedded(dataDir));
  database?.keepUp(say);
  const settings: Settings = { ...given, dataDir, databaseUrl: given.databaseUrl ?? database!.localUrl('postledger') };
  const made: { key?: FirstKey } = {};
  // A start that begins anew makes no second key, and the first is shown.
  const begin = async (engines: Engines) => void (made.key ??= await firstKey(engines));
  const running = await step('starting the apps', () =>
    startApp(composition(settings, begin), settings, { onWait: say }),
  ).catch(async (error: unknown) => {
    await database?.stop();
    throw error;
  });
  const sample = new AbortController();
  stopOnSignals(
    {
      async stop() {
        sample.abort();
        say('Draining (again Ctrl-C to end at once)');
        await running.stop();
      },
    },
    settings,
    async () => {
      await database?.stop();
      release();
      say('Stopped.');
    },
  );

  const key = made.key!;
  greeting(running, { ...given, dataDir }, key).forEach(say);
  const isSampleWanted = !args.includes('--empty');
  if (isSampleWanted && settings.mode === 'production')
    say('No sample: this is production, whose log is for what really happens.');
  else if (isSampleWanted && settings.publisher === 'none')
    say('No sample: PUBLISHER is none, so nobody would publish its posts.');
  else if (isSampleWanted)
    await playSample({ url: running.url, engines: running.engines, key: key.text, signal: sample.signal });
  if (!sample.signal.aborted) say('Ctrl-C drains and ends.');
}

main().catch(fail);
