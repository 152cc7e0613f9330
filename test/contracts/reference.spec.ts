import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Parser } from '@asyncapi/parser';
import { asyncApi, asyncApiText, coreTypes, internalTypes, messageType, TOPICS } from '#public-messages';
import { eventTypesReference } from '#webhook-contracts';

const folder = join(__dirname, '../../docs/reference');

it.each([
  ['asyncapi.json', asyncApiText],
  ['event-types.md', eventTypesReference],
])('docs/reference/%s says what the code says (npm run docs writes it anew)', (name, make) => {
  expect(readFileSync(join(folder, name), 'utf8')).toBe(make());
});

it('docs/guide/consume-the-bus.md names for each topic what goes there', () => {
  const guide = readFileSync(join(folder, '../guide/consume-the-bus.md'), 'utf8');
  const topicOf = new Map<string, string>();
  for (const [, topic, cell] of guide.matchAll(/^\| `(postledger\.\w+\.v1)` \| (.*) \|$/gm))
    for (const [, pattern] of cell!.matchAll(/`([^`]+)`/g)) topicOf.set(pattern!, topic!);
  const types = Object.keys({ ...coreTypes, ...internalTypes });
  const named = types.map((type) => (topicOf.has(type) ? type : type.replace(/\..*/, '.…')));
  expect(types.map((type, at) => [type, topicOf.get(named[at]!)])).toEqual(
    types.map((type) => [type, TOPICS[messageType(type)!.topic]]),
  );
  expect([...new Set(named)].sort()).toEqual([...topicOf.keys()].sort());
});

it('docs/guide/consume-the-bus.md says for each topic what is there that is never a webhook', () => {
  const guide = readFileSync(join(folder, '../guide/consume-the-bus.md'), 'utf8');
  const said = /`postledger-internal: true` is never a webhook:[^]*?\n\n/.exec(guide)?.[0] ?? '';
  const named = [...said.matchAll(/`(postledger\.\w+\.v1)`/g)].map(([, topic]) => topic);
  expect(named).toEqual([...new Set(Object.values(internalTypes).map(({ topic }) => TOPICS[topic]))]);
});

describe('the AsyncAPI document', () => {
  it('is valid to its official parser, without an error or a warning that matters', async () => {
    const { document, diagnostics } = await new Parser().parse(asyncApiText());
    expect(diagnostics.filter(({ severity }) => severity <= 1).map(({ message, path }) => [message, path])).toEqual([]);
    expect(document?.version()).toBe('3.0.0');
  });

  it('has each topic, and on it the types that go there', () => {
    const channels = Object.values(asyncApi()['channels'] as Record<string, { address: string; messages: object }>);
    expect(channels.map(({ address }) => address)).toEqual(Object.values(TOPICS));
    for (const { address, messages } of channels) {
      expect(Object.keys(messages).length).toBeGreaterThan(0);
      for (const type of Object.keys(messages)) expect(TOPICS[messageType(type)!.topic]).toBe(address);
    }
  });

  it('has every type but the test of an endpoint, which is sent at once and never on the bus', () => {
    const { messages } = asyncApi()['components'] as { messages: object };
    const types = Object.keys({ ...coreTypes, ...internalTypes }).filter((type) => type !== 'webhook.test');
    expect(Object.keys(messages)).toEqual(types);
    expect(eventTypesReference()).toMatch(/^### `webhook\.test`\n\n.* Never on the bus\.$/m);
    expect(eventTypesReference().match(/Never on the bus/g)).toHaveLength(1);
  });
});
