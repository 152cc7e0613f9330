import { instant, plus, HOUR } from '#kernel';
import { scenariosOf } from '#testing';
import type { EndpointCommand } from './endpoint.commands';
import { endpointDecider } from './endpoint.decider';
import type { DisabledReason, EndpointConfig, EndpointEvent, EndpointSettings } from './endpoint.events';

const { given } = scenariosOf(endpointDecider);
const noon = instant('2026-04-22T12:00:00.000Z');
const endpointId = 'whe_1';
const settings: EndpointSettings = {
  targetUrl: 'https://example.com/hook',
  eventTypes: ['post.*'],
  description: null,
  ordered: false,
  rateLimitPerSecond: null,
  latestOnly: false,
};
const first = { id: '1', box: 'v1.first', createdAt: noon, expiresAt: null };
const config: EndpointConfig = {
  ...settings,
  contract: 'core',
  startFrom: null,
  status: 'enabled',
  disabledReason: null,
  createdAt: noon,
  secrets: [first],
};

const stamp = { at: noon, actor: 'key_1' };
const register: EndpointCommand = {
  ...stamp,
  type: 'RegisterEndpoint',
  endpointId,
  ...settings,
  contract: 'core',
  startFrom: null,
  secret: { id: '1', box: 'v1.first' },
};
const update = (changes: Partial<EndpointSettings>): EndpointCommand => ({ ...stamp, type: 'UpdateEndpoint', changes });
const enable: EndpointCommand = { ...stamp, type: 'EnableEndpoint' };
const disable = (reason: DisabledReason): EndpointCommand => ({ ...stamp, type: 'DisableEndpoint', reason });
const rotate = (id: string, at: typeof noon, overlapMs: number): EndpointCommand => ({
  ...stamp,
  at,
  type: 'RotateSecret',
  secret: { id, box: `v1.${id}` },
  overlapMs,
});
const remove: EndpointCommand = { ...stamp, type: 'DeleteEndpoint' };
const replay: EndpointCommand = {
  ...stamp,
  type: 'RequestReplay',
  jobId: 'job_1',
  since: noon,
  until: null,
  status: 'parked',
};

const registered: EndpointEvent = { type: 'EndpointRegistered', data: { endpointId, config } };
const disabled = (reason: DisabledReason): EndpointEvent => ({
  type: 'EndpointDisabled',
  data: { endpointId, reason, config: { ...config, status: 'disabled', disabledReason: reason } },
});
const deleted: EndpointEvent = { type: 'EndpointDeleted', data: { endpointId, config: { ...config, secrets: [] } } };

describe('a webhook endpoint', () => {
  it('is registered enabled, with its whole configuration', () => given().when(register).then(registered));
  it('is registered once', () => given(registered).when(register).fails('ENDPOINT_ALREADY_EXISTS'));
  it('never comes back once deleted', () => given(registered, deleted).when(register).fails('ENDPOINT_ALREADY_EXISTS'));
  it('is deleted with its secrets', () => given(registered).when(remove).then(deleted));
  it('is gone once deleted, and before it was registered', () => {
    for (const command of [
      update({ ordered: true }),
      enable,
      disable('manual'),
      rotate('2', noon, 0),
      remove,
      replay,
    ]) {
      given(registered, deleted).when(command).fails('ENDPOINT_NOT_FOUND');
      given().when(command).fails('ENDPOINT_NOT_FOUND');
    }
  });
  it('takes no replay while it is disabled', () =>
    given(registered, disabled('gone')).when(replay).fails('ENDPOINT_DISABLED'));
  it('asks for a replay without changing', () =>
    given(registered)
      .when(replay)
      .then({
        type: 'ReplayRequested',
        data: { endpointId, jobId: 'job_1', since: noon, until: null, status: 'parked' },
      }));
});

describe('an update', () => {
  it('says what changed, and the whole configuration after it', () =>
    given(registered)
      .when(update({ ordered: true, targetUrl: settings.targetUrl }))
      .then({
        type: 'EndpointUpdated',
        data: { endpointId, changed: { ordered: true }, config: { ...config, ordered: true } },
      }));
  it('that changes nothing says nothing', () => {
    given(registered).when(update({})).then();
    given(registered)
      .when(update({ eventTypes: ['post.*'], description: null }))
      .then();
  });
  it('keeps a disabled endpoint disabled', () =>
    given(registered, disabled('gone'))
      .when(update({ ordered: true }))
      .then({
        type: 'EndpointUpdated',
        data: {
          endpointId,
          changed: { ordered: true },
          config: { ...config, ordered: true, status: 'disabled', disabledReason: 'gone' },
        },
      }));
});

describe('disabling', () => {
  it.each(['manual', 'gone', 'failing'] as const)('says why: %s', (reason) =>
    given(registered).when(disable(reason)).then(disabled(reason)),
  );
  it('has no effect the second time', () => given(registered, disabled('manual')).when(disable('gone')).then());
  it('is undone by enabling', () =>
    given(registered, disabled('gone')).when(enable).then({ type: 'EndpointEnabled', data: { endpointId, config } }));
  it('is not needed before enabling', () => given(registered).when(enable).then());
});

describe('a rotated secret', () => {
  const oneDay = 24 * HOUR;
  const rotated = (
    at: typeof noon,
    overlapUntil: typeof noon,
    id: string,
    secrets: EndpointConfig['secrets'],
  ): EndpointEvent => ({
    type: 'SecretRotated',
    data: {
      endpointId,
      secretId: id,
      overlapUntil,
      config: { ...config, secrets: [{ id, box: `v1.${id}`, createdAt: at, expiresAt: null }, ...secrets] },
    },
  });
  const tomorrow = plus(noon, oneDay);
  const second = { id: '2', box: 'v1.2', createdAt: noon, expiresAt: null };
  const once = rotated(noon, tomorrow, '2', [{ ...first, expiresAt: tomorrow }]);

  it('leaves the old one signing for the overlap', () =>
    given(registered)
      .when(rotate('2', noon, oneDay))
      .then(once));
  it('ends the old one at once when there is no overlap', () =>
    given(registered)
      .when(rotate('2', noon, 0))
      .then(rotated(noon, noon, '2', [])));
  it('is refused while ten sign, for each makes every webhook longer, unless it ends the others', () => {
    let secrets: EndpointConfig['secrets'] = [first];
    const history: EndpointEvent[] = [registered];
    for (let n = 2; n <= 10; n++) {
      secrets = secrets.map((secret) => ({ ...secret, expiresAt: tomorrow }));
      history.push(rotated(noon, tomorrow, `${n}`, secrets));
      secrets = [{ id: `${n}`, box: `v1.${n}`, createdAt: noon, expiresAt: null }, ...secrets];
      given(...history.slice(0, -1))
        .when(rotate(`${n}`, noon, oneDay))
        .then(history.at(-1)!);
    }
    given(...history)
      .when(rotate('11', noon, oneDay))
      .fails('SECRETS_OVERLAP');
    given(...history)
      .when(rotate('11', noon, 0))
      .then(rotated(noon, noon, '11', []));
    const nextDay = plus(tomorrow, oneDay);
    given(...history)
      .when(rotate('11', tomorrow, oneDay))
      .then(rotated(tomorrow, nextDay, '11', [{ id: '10', box: 'v1.10', createdAt: noon, expiresAt: nextDay }]));
  });
  it('ends every older one with it where it has the shorter overlap', () => {
    const evening = plus(noon, 6 * HOUR);
    const soon = plus(evening, HOUR);
    given(registered, once)
      .when(rotate('3', evening, HOUR))
      .then(
        rotated(evening, soon, '3', [
          { ...second, expiresAt: soon },
          { ...first, expiresAt: soon },
        ]),
      );
    given(registered, once)
      .when(rotate('3', evening, 0))
      .then(rotated(evening, evening, '3', []));
  });
  it('does not lengthen the overlap of an older one', () => {
    const evening = plus(noon, 6 * HOUR);
    given(registered, once)
      .when(rotate('3', evening, oneDay))
      .then(
        rotated(evening, plus(evening, oneDay), '3', [
          { ...second, expiresAt: plus(evening, oneDay) },
          { ...first, expiresAt: tomorrow },
        ]),
      );
  });
  it('drops what has expired', () => {
    const later = plus(noon, 2 * oneDay);
    given(registered, once)
      .when(rotate('3', later, oneDay))
      .then(rotated(later, plus(later, oneDay), '3', [{ ...second, expiresAt: plus(later, oneDay) }]));
  });
});
