import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import addFormats from 'ajv-formats';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import { derivedUuid } from '#kernel';
import { coreTypes, eventSchemas, internalTypes, messagesOf, messageType, type CoreMessage } from '#public-messages';
import { OPERATION_KINDS } from '#studio';
import { contracts } from '#webhook-contracts';
import { ACTOR, AT } from './recorded';

// What each released event version says in public, byte for byte: test/contracts/messages.v1. The events come from their
// own golden files. `GOLDEN=add` writes the files that are missing; it never changes one that is there.
const events = join(__dirname, 'events');
const folder = join(__dirname, 'messages.v1');

/** What only some kinds of operations carry. */
const asked = { contentId: 'cnt_1', contentIds: ['cnt_1'], assets: ['ast_1'] };

/** Every released event; operations in each of their kinds. */
const released = readdirSync(events).flatMap((file) => {
  const [, type, version] = /^(\w+)\.v(\d+)\.json$/.exec(file)!;
  const data = JSON.parse(readFileSync(join(events, file), 'utf8')) as Record<string, unknown>;
  const name = `${type}.v${version}`;
  return type!.startsWith('Operation')
    ? OPERATION_KINDS.map((kind) => ({
        name: `${name}.${kind}`,
        type: type!,
        version: Number(version),
        data: { ...data, ...(type === 'OperationCompleted' && asked), kind },
      }))
    : [{ name, type: type!, version: Number(version), data }];
});
const said = ({ type, version, data }: (typeof released)[number]): CoreMessage[] =>
  messagesOf({
    id: derivedUuid('golden', type),
    type,
    data,
    metadata: {
      workspace: 'ws_1',
      actor: ACTOR,
      correlationId: 'cor_1',
      causationId: null,
      commandId: 'cmd_1',
      schemaVersion: version,
      occurredAt: AT,
    },
    stream: 'thing-ws_1:thing_1',
    revision: 0,
    position: 1,
  });

const validators = new Map<string, ValidateFunction>();
const ajv = addFormats(new Ajv2020({ strict: true, strictTypes: false }));
function errorsOf(name: string, schema: object, value: unknown) {
  const validate = validators.get(name) ?? ajv.compile(schema);
  validators.set(name, validate);
  return validate(value) ? null : [name, validate.errors];
}

if (process.env['GOLDEN'] === 'add') {
  mkdirSync(folder, { recursive: true });
  for (const event of released) {
    const file = join(folder, `${event.name}.json`);
    if (!existsSync(file)) writeFileSync(file, `${JSON.stringify(said(event), null, 2)}\n`);
  }
}

describe.each(released)('$name', (event) => {
  const messages = said(event);

  it('says what it said when it was released', () => {
    const file = join(folder, `${event.name}.json`);
    if (!existsSync(file)) throw new Error(`No golden file ${file}: for a new event, run this test with GOLDEN=add.`);
    const before = readFileSync(file, 'utf8');
    const now = `${JSON.stringify(messages, null, 2)}\n`;
    if (before === now) return;
    throw new Error(
      `${event.name} is released and what it says in public changed, so a backfill would send other bytes than were sent. ` +
        `Undo the change, or make a new type or a new contract version.\n--- released\n${before}\n--- now\n${now}`,
    );
  });

  it('says it in the form of its schema, in every contract', () => {
    for (const message of messages) {
      const { data } = messageType(message.type)!;
      expect(errorsOf(message.type, data, JSON.parse(message.dataJson))).toBeNull();
      if (!message.isWebhook) continue;
      for (const contract of contracts.values()) {
        for (const { type, body } of contract.render(message)) {
          expect(errorsOf(`${contract.name} ${type}`, contract.schemaOf(type)!, JSON.parse(body))).toBeNull();
        }
      }
    }
  });
});

it('has a released event for each type of the log', () =>
  expect(new Set(released.map(({ type }) => type))).toEqual(new Set(Object.keys(eventSchemas))));

it('says every type of the catalogue, but for the test', () => {
  const types = new Set(released.flatMap((event) => said(event).map(({ type }) => type)));
  expect([...types].sort()).toEqual(
    [...Object.keys(coreTypes), ...Object.keys(internalTypes)].filter((type) => type !== 'webhook.test').sort(),
  );
});
