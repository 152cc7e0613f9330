import type { BusMessage } from '#messaging';
import { fromBusMessage, toBusMessage, TOPICS, type CoreMessage } from '.';

const ID = 'evt_00000001-0000-8000-8000-000000000000';
const least: CoreMessage = {
  id: ID,
  type: 'post.cancelled',
  topic: TOPICS.posts,
  workspace: 'ws_1',
  key: 'pst_1',
  createdAt: '2026-04-22T14:00:00.000Z',
  dataJson: '{"postId":"pst_1","reason":"שלום \u{1F680}"}',
  position: 42,
  index: 0,
  actor: 'usr_1',
  correlationId: 'cor_1',
  isWebhook: true,
};
const most: CoreMessage = {
  ...least,
  index: 3,
  isWebhook: false,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  region: '../etc/passwd',
  factsJson: '{"failed":[]}',
  aboutEndpoint: 'whe_1',
};

it.each([
  ['the least', least],
  ['the most', most],
  ['an empty region', { ...least, region: '' }],
])('comes back from the bus as it went, with %s in it', (_, message) =>
  expect(fromBusMessage(toBusMessage(message))).toEqual(message),
);

it('goes out as a CloudEvent in binary mode', () =>
  expect(toBusMessage(least).headers).toMatchObject({
    ce_specversion: '1.0',
    ce_id: ID,
    ce_type: 'post.cancelled',
    ce_source: 'urn:postledger:workspace:ws_1',
    ce_time: '2026-04-22T14:00:00.000Z',
    ce_subject: 'pst_1',
    'content-type': 'application/json',
  }));

it('refuses a message of somebody else', () =>
  expect(() => fromBusMessage({ ...toBusMessage(least), headers: {} })).toThrow('has no postledger-position header'));

it.each<[string, Partial<BusMessage>]>([
  ['an id that is no UUID', { id: 'evt_1' }],
  ['a NUL in its key', { key: 'pst_\0' }],
  ['a NUL in its value', { value: '{"postId":"\0"}' }],
  ['a NUL in a header', { headers: { 'postledger-actor': 'usr_\0' } }],
  ['a position that is no number', { headers: { 'postledger-position': 'NaN.0' } }],
  ['a position that is too large', { headers: { 'postledger-position': '100000000000000000000.0' } }],
  ['a position without an index', { headers: { 'postledger-position': '42' } }],
  ['a time in words', { headers: { ce_time: 'yesterday' } }],
  ['a day that there is not', { headers: { ce_time: '2026-02-31T14:00:00.000Z' } }],
  ['a time before any that can be stored', { headers: { ce_time: '0000-12-31T00:00:00.000Z' } }],
  ['a time after all of them', { headers: { ce_time: '+012026-01-01T00:00:00.000Z' } }],
  ['a source of others', { headers: { ce_source: '/orders' } }],
])('refuses a message that looks like ours, with %s', (_, { headers, ...strange }) => {
  const message = toBusMessage(least);
  expect(() => fromBusMessage({ ...message, ...strange, headers: { ...message.headers, ...headers } })).toThrow(
    'only look like ours',
  );
});
