import { generateSecret, verifyPostEz, verifyStandard } from '#webhook-signing';
import { contracts, sample, signHeaders } from '.';

const [newer, older] = [generateSecret('whsec'), generateSecret('whsec')];
const [newerPez, olderPez] = [generateSecret('pez'), generateSecret('pez')];
const now = 1776866400;
const core = contracts.get('core')!;
const postEz = contracts.get('post-ez')!;

it.each([...contracts.values()])(
  'signs $name so that its receiver verifies it, with each live secret of a rotation',
  (contract) => {
    const { id, type, body } = sample(contract);
    const pez = contract.signature === 'post-ez';
    const live = pez ? [newerPez, olderPez] : [newer, older];
    const headers = signHeaders(contract, live, { id, type, body, timestampSeconds: now });
    for (const secret of live) {
      expect((pez ? verifyPostEz : verifyStandard)({ secret, headers, body, now })).toMatchObject({ timestamp: now });
    }
    expect(headers['content-type']).toBe(contract.contentType);
  },
);

it('puts one signature per secret, newest first', () => {
  const { id, type, body } = sample(core);
  const one = (secret: string) =>
    signHeaders(core, [secret], { id, type, body, timestampSeconds: now })['webhook-signature'];
  expect(signHeaders(core, [newer, older], { id, type, body, timestampSeconds: now })['webhook-signature']).toBe(
    `${one(newer)} ${one(older)}`,
  );
  const pez = signHeaders(postEz, [newerPez, olderPez], { ...sample(postEz), timestampSeconds: now })[
    'x-postez-signature'
  ];
  expect(pez).toMatch(/^t=1776866400,v1=[0-9a-f]{64},v1=[0-9a-f]{64}$/);
});

it('says the sequence number, and a replay in the header alone', () => {
  const signable = { ...sample(core), timestampSeconds: now };
  expect(signHeaders(core, [newer], { ...signable, sequence: 7, replay: true })).toMatchObject({
    'webhook-sequence': '7',
    'webhook-replay': 'true',
  });
  for (const plain of [signable, { ...signable, replay: false }]) {
    const headers = signHeaders(core, [newer], plain);
    expect(headers).not.toHaveProperty('webhook-sequence');
    expect(headers).not.toHaveProperty('webhook-replay');
  }
});

it('names the type beside a Post-EZ body, and signs no Standard Webhooks header there', () => {
  const headers = signHeaders(postEz, [newerPez], { ...sample(postEz, 'post.failed'), timestampSeconds: now });
  expect(headers['x-postez-event']).toBe('post.failed');
  expect(headers).not.toHaveProperty('webhook-id');
});

it('gives each Post-EZ delivery its own id, the same on each rendering', () => {
  const message = { ...messageOf() };
  const render = (deliveryId: string) => postEz.render(message, { deliveryId })[0]!;
  expect(render('dlv_1')).toEqual(render('dlv_1'));
  expect(render('dlv_1').id).not.toBe(render('dlv_2').id);
  expect(JSON.parse(render('dlv_2').body).id).toBe(render('dlv_2').id);
});

it('gives each of the messages that one event becomes an id of its own, the same on each rendering', () => {
  const platforms = ['instagram', 'linkedin', 'x', 'threads'];
  const data = { postId: 'pst_1', scheduledAt: '2026-04-22T14:00:00.000Z', platforms, profileId: 'prof_1' };
  const message = { ...messageOf(), type: 'post.scheduled', dataJson: JSON.stringify(data) };
  const ids = contracts
    .get('postiz')!
    .render(message)
    .map(({ id }) => id);
  expect(ids[0]).toBe('evt_1');
  expect(new Set(ids).size).toBe(platforms.length);
  expect(
    contracts
      .get('postiz')!
      .render({ ...message })
      .map(({ id }) => id),
  ).toEqual(ids);
});

it('refuses to send without a secret', () =>
  expect(() => signHeaders(core, [], { ...sample(core), timestampSeconds: now })).toThrow('without a live secret'));

const messageOf = () => ({
  id: 'evt_1',
  type: 'webhook.test',
  topic: 'postledger.webhooks.v1',
  workspace: 'ws_1',
  key: 'whe_1',
  createdAt: '2026-04-22T14:00:00.000Z',
  dataJson: '{"message":"It works."}',
  position: 1,
  index: 0,
  actor: 'usr_1',
  correlationId: 'cor_1',
  isWebhook: true,
});
