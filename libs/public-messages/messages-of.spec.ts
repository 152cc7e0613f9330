import { streamName, type RecordedEvent } from '#event-store';
import { derivedUuid, followingUuid, type DataOf } from '#kernel';
import addFormats from 'ajv-formats';
import Ajv2020 from 'ajv/dist/2020';
import { coreTypes, internalTypes, isCoreType, messagesOf, messageType, type DomainEvent } from '.';

const ajv = addFormats(new Ajv2020({ strict: true, strictTypes: false }));

function event<T extends DomainEvent['type']>(
  type: T,
  data: DataOf<DomainEvent, T>,
  category = 'operation',
  id = 'op_1',
): RecordedEvent {
  const metadata = { workspace: 'ws_1', actor: 'usr_1', correlationId: 'cor_1', causationId: null, commandId: 'cmd_1' };
  return {
    id: derivedUuid('cmd_1', 0),
    type,
    data,
    metadata: { ...metadata, schemaVersion: 1, occurredAt: '2026-04-22T14:00:00.000Z' },
    stream: streamName(category, 'ws_1', id),
    revision: 0,
    position: 7,
  };
}

const of = { operationId: 'op_1', region: 'a/../b', campaignId: null } as const;
const error = { code: 'refused', message: 'The prompt was refused', detail: null };
const failed = event('OperationFailed', { ...of, kind: 'image', error });

it('gives the first message the id of the event and each further one an id derived from it', () => {
  const ids = messagesOf(failed).map(({ id }) => id);
  expect(ids).toEqual([`evt_${failed.id}`, `evt_${followingUuid(failed.id, 1)}`]);
  expect(messagesOf(failed)).toEqual(messagesOf(failed));
});

it('tells the failure of an operation by its own kind and as a whole', () =>
  expect(messagesOf(failed).map(({ type, dataJson, index }) => [index, type, JSON.parse(dataJson)])).toEqual([
    [0, 'image.generation_failed', { operationId: 'op_1', region: 'a/../b', error: 'The prompt was refused' }],
    [1, 'operation.failed', { operationId: 'op_1', kind: 'image', error }],
  ]));

it('takes workspace, key, time, actor, correlation, trace and place from the event', () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const traced = { ...failed, metadata: { ...failed.metadata, traceparent } };
  expect(messagesOf(traced)[0]).toMatchObject({
    topic: 'postledger.studio.v1',
    workspace: 'ws_1',
    key: 'op_1',
    createdAt: '2026-04-22T14:00:00.000Z',
    actor: 'usr_1',
    correlationId: 'cor_1',
    traceparent,
    position: 7,
    region: 'a/../b',
    isWebhook: true,
  });
});

it('says nothing of what is nobody else’s business', () =>
  expect(messagesOf(event('WorkspaceCreated', { workspaceId: 'ws_1', name: 'Band' }, 'workspace', 'ws_1'))).toEqual(
    [],
  ));

it('stops at an event it does not know: a forgotten event is a defect', () =>
  expect(() => messagesOf({ ...failed, type: 'Surprise' })).toThrow('Unknown event type Surprise at position 7'));

it('knows no type by a name that every object has', () => {
  expect(() => messagesOf({ ...failed, type: 'constructor' })).toThrow('Unknown event type constructor');
  expect([isCoreType('constructor'), messageType('constructor')]).toEqual([false, undefined]);
});

it('tells the outcome on a platform by its name, whatever that is', () => {
  const outcome = { platform: 'constructor', ok: false, error: 'x', errorCode: 'x', thisRound: true };
  const outcomes = [1, 2].map((n) => ({ ...outcome, destinationId: `dst_${n}`, accountId: `acct_${n}` }));
  const settled = { postId: 'pst_1', campaignId: null, round: 1, published: 0, failed: 2, total: 2, outcomes };
  const [message] = messagesOf(event('PostFailed', settled, 'post', 'pst_1'));
  const { platformResults } = JSON.parse(message!.dataJson) as { platformResults: object };
  expect(Object.keys(platformResults)).toEqual(['constructor', 'constructor:acct_2']);
});

it('stops at an event of a version that this build does not know', () =>
  expect(() => messagesOf({ ...failed, metadata: { ...failed.metadata, schemaVersion: 99 } })).toThrow(
    'newer than this build',
  ));

it('leaves out what the catalogue marks as optional and null where it shows the key', () => {
  const approved = { designId: 'dsg_1', clientId: 'c', revision: 1, note: null };
  const [design] = messagesOf(event('DesignApproved', approved, 'design', 'dsg_1'));
  expect(JSON.parse(design!.dataJson)).toEqual({ designId: 'dsg_1', clientId: 'c', revision: 1 });
  const cancelled = { postId: 'pst_1', profileId: 'p', reason: null, campaignId: null };
  const [post] = messagesOf(event('PostCancelled', cancelled, 'post', 'pst_1'));
  expect(JSON.parse(post!.dataJson)).toEqual({ postId: 'pst_1', reason: null, profileId: 'p' });
});

describe('an event with nothing to say of what is optional', () => {
  const bare = { operationId: 'op_1', region: null, campaignId: null };
  const bareEnd = { ...bare, url: null, contentId: null, contentIds: null, assets: null };
  const asset = { assetId: 'ast_1', clientId: 'c', folder: 'f' };
  const told = { operationId: 'op_1' };
  it.each([
    [event('OperationStarted', { ...bare, kind: 'image', total: null }), told],
    [event('OperationStarted', { ...bare, kind: 'video', total: null }), told],
    [
      event('OperationProgressed', { ...bare, kind: 'batch', done: 1, failed: 0, total: 2 }),
      { ...told, done: 1, failed: 0, total: 2 },
    ],
    [event('OperationCompleted', { ...bareEnd, kind: 'image' }), told],
    [event('OperationCompleted', { ...bareEnd, kind: 'video' }), told],
    [event('OperationFailed', { ...bare, kind: 'image', error }), { ...told, error: error.message }],
    [event('OperationFailed', { ...bare, kind: 'video', error }), { ...told, error: error.message }],
    [event('AssetOrganized', { ...asset, campaignId: null }, 'asset', 'ast_1'), asset],
    [event('AssetDelivered', { ...asset, campaignId: null }, 'asset', 'ast_1'), asset],
  ])('has no key for it, and no region: %#', (recorded, data) => {
    const [first] = messagesOf(recorded);
    expect(JSON.parse(first!.dataJson)).toEqual(data);
    expect(first).not.toHaveProperty('region');
  });
});

describe('webhook endpoints', () => {
  const config = {
    targetUrl: 'https://example.com',
    eventTypes: ['*'],
    description: null,
    ordered: false,
    rateLimitPerSecond: null,
    latestOnly: false,
    contract: 'core',
    startFrom: null,
    status: 'disabled',
    disabledReason: 'gone',
    createdAt: '2026-04-22T14:00:00.000Z' as never,
    secrets: [{ id: 's', box: 'v1.box', createdAt: '2026-04-22T14:00:00.000Z' as never, expiresAt: null }],
  } as const;
  const disabled = event(
    'EndpointDisabled',
    { endpointId: 'whe_1', config, reason: 'gone' },
    'webhook_endpoint',
    'whe_1',
  );

  it('tell subscribers that one was disabled, and the delivery service its whole configuration', () => {
    const [first, second] = messagesOf(disabled);
    expect(first).toMatchObject({ type: 'webhook.endpoint_disabled', isWebhook: true, aboutEndpoint: 'whe_1' });
    expect(second).toMatchObject({ type: 'webhook.endpoint_changed', isWebhook: false, aboutEndpoint: 'whe_1' });
    expect(JSON.parse(second!.dataJson)).toEqual({ endpointId: 'whe_1', change: 'disabled', config });
  });

  it('travel in the form that their schema shows', () => {
    for (const { type, dataJson } of messagesOf(disabled)) {
      const validate = ajv.compile(messageType(type)!.data);
      validate(JSON.parse(dataJson));
      expect([type, validate.errors]).toEqual([type, null]);
    }
  });
});

it.each(Object.entries({ ...coreTypes, ...internalTypes }))('%s has an example that its schema admits', (_, type) => {
  const validate = ajv.compile(type.data);
  validate(type.example);
  expect(validate.errors).toBeNull();
  expect(type.description).toMatch(/\.$/);
});
