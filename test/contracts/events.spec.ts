import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { upcastBy, type RecordedEvent } from '#event-store';
import type { EventSchema } from '#kernel';
import { eventSchemas, type DomainEvent } from '#public-messages';
import { stories } from './stories';

// One file per event type and version: what the log holds, for ever. `GOLDEN=add` writes the files that are missing (a new
// type, a new version); it never changes one that is there.

type Type = DomainEvent['type'];
const folder = join(__dirname, 'events');
const fileOf = (type: string, version: number): string => join(folder, `${type}.v${version}.json`);
const types = Object.keys(eventSchemas) as Type[];
const schemaOf = (type: Type): EventSchema => eventSchemas[type] as EventSchema;
const told = (type: Type): object | undefined => stories.find((event) => event.type === type)?.data;
const golden = (type: string, version: number): object =>
  JSON.parse(readFileSync(fileOf(type, version), 'utf8')) as object;

if (process.env['GOLDEN'] === 'add') {
  mkdirSync(folder, { recursive: true });
  for (const type of types) {
    const file = fileOf(type, schemaOf(type).version);
    if (!existsSync(file)) writeFileSync(file, `${JSON.stringify(told(type), null, 2)}\n`);
  }
}

/** What a reader relies on: the names of the fields and the kinds of their values, at every depth. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, shapeOf(it)]));
}

function recordedAs(type: Type, version: number): RecordedEvent {
  const metadata = {
    workspace: 'ws_1',
    actor: 'a',
    correlationId: 'c',
    causationId: null,
    commandId: 'd',
    schemaVersion: version,
    occurredAt: '',
  };
  return { id: 'e', type, data: golden(type, version), metadata, stream: 's', revision: 0, position: 1 };
}

describe.each(types)('the stored shape of %s', (type) => {
  const { version } = schemaOf(type);

  it('has a golden file for every version', () => {
    for (let each = 1; each <= version; each++)
      if (!existsSync(fileOf(type, each)))
        throw new Error(`No ${fileOf(type, each)}: for a new type or version, run this test with GOLDEN=add.`);
  });

  it('is what was released', () => {
    const [released, now] = [shapeOf(golden(type, version)), shapeOf(told(type))];
    try {
      expect(now).toEqual(released);
    } catch (difference) {
      throw new Error(
        `${type} version ${version} is released: events of this shape are in logs. Undo the change, or make version ${version + 1}: ` +
          `raise \`version\` where the event is declared, add an upcaster from ${version}, and run this test with GOLDEN=add.\n${(difference as Error).message}`,
        { cause: difference },
      );
    }
  });

  it('is what every older version becomes', () => {
    for (let each = 1; each <= version; each++)
      expect(shapeOf(upcastBy(schemaOf(type), recordedAs(type, each)).data)).toEqual(shapeOf(golden(type, version)));
  });

  it('holds the personal fields that are marked', () => {
    for (const path of Object.keys(schemaOf(type).personal ?? {})) {
      const value = path
        .split('.')
        .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], golden(type, version));
      expect(typeof (Array.isArray(value) ? value[0] : value)).toBe('string');
    }
  });
});

it('no golden file is of an event that is not known any more', () => {
  const known = new Set(
    types.flatMap((type) => Array.from({ length: schemaOf(type).version }, (_, n) => `${type}.v${n + 1}.json`)),
  );
  expect(readdirSync(folder).filter((file) => !known.has(file))).toEqual([]);
});

/** Fields that somebody writes freely, or that say who somebody is, by their names. */
const TELLING = /^(email|username|text|reasons?|notes?|comments?|message|detail|error|description)$/i;
/** Those that are nobody's words, each with why. */
const NOT_PERSONAL: Readonly<Record<string, string>> = {
  'CampaignPostLeft/reason': 'a word of ours: cancelled or not_scheduled',
  'EndpointDisabled/reason': 'a word of ours: manual, gone or failing',
  'Endpoint*/config/disabledReason': 'the same',
  'Endpoint*/config/description': 'says what an endpoint is for',
  'SecretRotated/config/description': 'the same',
  'Destination*/error': 'what a network reports',
  'Post*/outcomes/error': 'the same',
  'OperationFailed/error/message': 'what a service reports',
  'OperationFailed/error/detail': 'the same',
};

/** Paths of the texts in a value; elements of a list are at the path of the list. */
function textsIn(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value === 'string') return [path];
  if (Array.isArray(value)) return value.flatMap((one) => textsIn(one, path));
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, member]) => textsIn(member, [...path, name]));
}

it("what somebody writes or is called is declared personal beside its event, or says why it is nobody's", () => {
  const telling = types.flatMap((type) =>
    textsIn(golden(type, schemaOf(type).version))
      .filter((path) => TELLING.test(path.at(-1)!))
      .map((path) => ({ type, path })),
  );
  const isExempt = (name: string) =>
    Object.keys(NOT_PERSONAL).some((pattern) => new RegExp(`^${pattern.replace('*', '\\w*')}$`).test(name));
  const undeclared = telling
    .filter(({ type, path }) => !Object.hasOwn(schemaOf(type).personal ?? {}, path.join('.')))
    .map(({ type, path }) => [type, ...path].join('/'));
  expect(undeclared.filter((name) => !isExempt(name))).toEqual([]);
  expect(telling.length - undeclared.length).toBeGreaterThanOrEqual(9);
});
