import type { TSchema } from '@sinclair/typebox';
import { coreTypes, internalTypes, TOPICS, type CoreTypeDefinition } from '#public-messages';
import { catalogue } from './catalogue';
import { HOUR, MINUTE, type Contract } from './contract';
import { contracts } from './registry';

/** docs/reference/event-types.md: what each contract says, and the data of every core type. */
export const eventTypesReference = (): string =>
  [
    '# Event types',
    '',
    'Generated from the code (`npm run docs`). Bodies, schemas and examples of every contract: `GET /api/v1/webhooks/event-types`.',
    'The topics of the bus: [asyncapi.json](asyncapi.json).',
    '',
    '## Contracts',
    '',
    '| contract | version | signature | types | retries after | whole exchange | parked deliveries kept |',
    '|---|---|---|---|---|---|---|',
    ...[...contracts.values()].map(contractRow),
    '',
    '## Types of the contracts with names of their own',
    '',
    '| contract | type | when |',
    '|---|---|---|',
    ...ownNames().map(({ contract, type, description }) => `| \`${contract}\` | \`${type}\` | ${description} |`),
    '',
    '## Core types',
    '',
    'A `?` marks a key that may be absent.',
    '',
    ...Object.entries<CoreTypeDefinition>(coreTypes).flatMap(section),
    '## On the bus alone',
    '',
    'Never a webhook.',
    '',
    ...Object.entries<CoreTypeDefinition>(internalTypes).flatMap(section),
  ].join('\n');

const contractRow = (contract: Contract): string => {
  const { name, version, signature, types, retryDelaysSeconds, timeoutSeconds, parkedRetentionDays } = contract;
  const kept = parkedRetentionDays === null ? 'until replayed or deleted' : `${parkedRetentionDays} days`;
  return `| \`${name}\` | ${version} | ${signature} | ${types.length} | ${retryDelaysSeconds.map(span).join(', ')} | ${timeoutSeconds} s | ${kept} |`;
};

const ownNames = () =>
  ['postiz', 'posteverywhere', 'post-ez'].flatMap((name) => {
    const contract = contracts.get(name);
    return contract ? catalogue(contract) : [];
  });

const section = ([type, { description, topic, data, example, isSample }]: [string, CoreTypeDefinition]): string[] => [
  `### \`${type}\``,
  '',
  `${description} ${isSample ? 'Never on the bus.' : `Topic \`${TOPICS[topic]}\`.`}`,
  '',
  `Data: ${keys(data).join(', ')}.`,
  '',
  '```json',
  JSON.stringify(example, null, 2),
  '```',
  '',
];

const keys = (data: TSchema): string[] => {
  const required = new Set((data['required'] as string[] | undefined) ?? []);
  return Object.keys((data['properties'] as object | undefined) ?? {}).map(
    (key) => `\`${key}\`${required.has(key) ? '' : '?'}`,
  );
};

const span = (seconds: number): string => {
  if (seconds === 0) return 'at once';
  if (seconds % HOUR === 0) return `${seconds / HOUR} h`;
  return seconds % MINUTE === 0 ? `${seconds / MINUTE} m` : `${seconds} s`;
};
