import { resolve } from 'node:path';
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
import { playSample } from './sample/sample';
import { outliveReaders, say, step } from './terminal';

const OPTIONS = ['--empty', '--build-only', '--help', '-h'];

async function main(): Promise<void> {
  outliveReaders();
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => !OPTIONS.includes(arg));
  if (unknown) throw new SettingsError(`${unknown} is not an option: there are --empty and --help.`);

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
    async () => {
      await database?.stop();
      release();
      say('Stopped.');
    },
  );

  const key = made.key!;
  say(
    `Postledger is ready, on ${database ? 'an embedded PostgreSQL' : 'PostgreSQL'}${settings.eventStoreUrl ? ', EventStoreDB' : ''}${settings.busUrl ? ', Kafka' : ''}`,
  );
  say(`  Dashboard   ${running.url}/${key.isShown ? `#key=${encodeURIComponent(key.text)}` : ''}`);
  say(`  API         ${running.url}/api/v1   (documents: ${running.url}/docs)`);
  if (running.metricsUrl) say(`  Metrics     ${running.metricsUrl}`);
  say(
    `  API key     ${key.isShown ? key.text : 'the one printed at the first start'}${key.isNew ? '   (shown this once; its hash is kept)' : ''}`,
  );
  say(`  State       ${dataDir}`);
  say('Try it:');
  say(
    `curl -s -X POST ${running.url}/api/v1/accounts -H ${key.header} -H 'Content-Type: application/json' -d '{"platform":"mastodon","username":"hello.world","profileId":"prof_mine"}'`,
  );
  say('');
  const isSampleWanted = !args.includes('--empty');
  if (isSampleWanted && settings.mode === 'production')
    say('No sample: this is production, whose log is for what really happens.');
  else if (isSampleWanted)
    await playSample({ url: running.url, engines: running.engines, key: key.text, signal: sample.signal });
  say('Ctrl-C drains and ends.');
}

main().catch(fail);
