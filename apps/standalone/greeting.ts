import type { RunningApp, Settings } from '#platform';
import type { FirstKey } from './first-key';

/** What the terminal says once all stands: where it is, the key, and a command to try. */
export function greeting({ url, metricsUrl }: RunningApp, settings: Settings, key: FirstKey): readonly string[] {
  const engines = [
    settings.databaseUrl ? 'PostgreSQL' : 'an embedded PostgreSQL',
    ...(settings.eventStoreUrl ? ['EventStoreDB'] : []),
    ...(settings.busUrl ? ['Kafka'] : []),
  ];
  return [
    `Postledger is ready, on ${engines.join(', ')}`,
    `  Dashboard   ${url}/${key.isShown ? `#key=${encodeURIComponent(key.text)}` : ''}`,
    `  API         ${url}/api/v1   (documents: ${url}/docs)`,
    ...(metricsUrl ? [`  Metrics     ${metricsUrl}`] : []),
    `  API key     ${wordsFor(key)}`,
    `  State       ${settings.dataDir}`,
    'Try it:',
    `curl -s -X POST ${url}/api/v1/accounts -H ${key.header} -H 'Content-Type: application/json' -d '{"platform":"mastodon","username":"hello.world","profileId":"prof_mine"}'`,
    '',
  ];
}

function wordsFor({ text, isShown, isNew, file }: FirstKey): string {
  if (isShown) return isNew ? `${text}   (shown this once; ${file ? `kept in ${file}` : 'its hash is kept'})` : text;
  if (file) return `in ${file}`;
  return text
    ? 'that of POSTLEDGER_API_KEY'
    : 'the one printed at the first start, or POSTLEDGER_API_KEY of an earlier one';
}
