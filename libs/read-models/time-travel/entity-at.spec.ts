import { accountAggregate } from '#accounts';
import { CommandHandler } from '#event-store';
import { MemoryEventStore } from '#event-store/memory/memory-event-store';
import { instant, uuidv7, type Aggregate, type CommandBase, type Instant, type Message } from '#kernel';
import { designAggregate } from '#studio';
import { deliveryAggregate, endpointAggregate } from '#webhooks';
import {
  apiKeyAggregate,
  subjectAggregate,
  subscriptionAggregate,
  teamAggregate,
  workspaceAggregate,
} from '#workspace';
import { entityAt } from './entity-at';

const WORKSPACE = 'ws_1';
const at = (minute: number): Instant => instant(Date.UTC(2026, 4, 1, 10, minute));

describe('time travel', () => {
  const store = new MemoryEventStore();
  const commands = new CommandHandler(store);
  const by = (minute: number) => ({ at: at(minute), actor: 'usr_1' });
  const send = <C extends CommandBase, E extends Message, S>(it: Aggregate<C, E, S>, id: string, command: C) =>
    commands.handle(it, id, command, {
      workspace: WORKSPACE,
      actor: 'usr_1',
      correlationId: 'c',
      causationId: null,
      commandId: uuidv7(),
      at: command.at,
    });
  const then = async (type: string, id: string, minute: number) => entityAt(store, WORKSPACE, type, id, at(minute));

  beforeAll(async () => {
    const account = {
      accountId: 'acct_1',
      platform: 'x',
      username: 'ada',
      profileId: 'prof_1',
      credentialExpiresAt: null,
    };
    await send(accountAggregate, 'acct_1', { type: 'ConnectAccount', ...by(5), ...account });
    await send(accountAggregate, 'acct_1', { type: 'DisconnectAccount', ...by(10), reason: 'left' });
    await send(teamAggregate, WORKSPACE, {
      type: 'InviteMember',
      ...by(5),
      inviteId: 'inv_1',
      email: 'a@example.com',
      role: 'editor',
    });
    await send(teamAggregate, WORKSPACE, { type: 'AcceptInvitation', ...by(10), inviteId: 'inv_1', userId: 'usr_2' });
    await send(subscriptionAggregate, WORKSPACE, {
      type: 'ChangePlan',
      ...by(5),
      workspaceId: WORKSPACE,
      plan: 'pro',
      effectiveAt: at(20),
    });
    const secret = { id: 'sec_1', box: 'v1.box' };
    const settings = {
      targetUrl: 'https://example.com',
      eventTypes: ['*'],
      description: null,
      ordered: false,
      rateLimitPerSecond: null,
      latestOnly: false,
    };
    await send(endpointAggregate, 'whe_1', {
      type: 'RegisterEndpoint',
      ...by(5),
      endpointId: 'whe_1',
      contract: 'core',
      startFrom: null,
      secret,
      ...settings,
    });
    await send(endpointAggregate, 'whe_1', { type: 'DeleteEndpoint', ...by(10) });
  });

  it('shows a thing as it stood at the time, with its revision', async () => {
    expect(await then('account', 'acct_1', 7)).toEqual({
      entityType: 'account',
      id: 'acct_1',
      at: at(7),
      revision: 0,
      state: {
        id: 'acct_1',
        platform: 'x',
        username: 'ada',
        profileId: 'prof_1',
        status: 'connected',
        credentialExpiresAt: null,
        disconnectedReason: null,
      },
    });
    expect(await then('account', 'acct_1', 10)).toMatchObject({ revision: 1, state: { status: 'disconnected' } });
  });

  it('has nothing before a thing existed, after it was deleted, of another workspace, or of an unknown type', async () => {
    expect(await then('account', 'acct_1', 4)).toBeUndefined();
    expect(await then('webhook_endpoint', 'whe_1', 12)).toBeUndefined();
    expect(await entityAt(store, 'ws_2', 'account', 'acct_1', at(9))).toBeUndefined();
    expect(await then('nothing', 'acct_1', 9)).toBeUndefined();
  });

  it('shows nothing on the word of an event of another workspace that stands in the stream', async () => {
    await send(designAggregate, 'dsg_1', {
      type: 'CreateDesign',
      ...by(5),
      designId: 'dsg_1',
      clientId: 'c',
      name: null,
    });
    const stream = `design-${WORKSPACE}:dsg_1`;
    const [created] = await store.read(stream);
    const metadata = { ...created!.metadata, workspace: 'ws_2' };
    const forged = { ...created!, id: uuidv7(), type: 'DesignSubmitted', data: { designId: 'dsg_1' }, metadata };
    await store.append(stream, [forged], 0);
    await expect(then('design', 'dsg_1', 7)).rejects.toThrow(`${stream} holds an event of ws_2 at revision 1`);
  });

  it('never shows the secrets of an endpoint', async () => {
    const then7 = await then('webhook_endpoint', 'whe_1', 7);
    expect(then7).toMatchObject({ state: { id: 'whe_1', status: 'enabled' } });
    expect(JSON.stringify(then7)).not.toContain('v1.box');
  });

  it('shows of what no GET tells alone what the log knows', async () => {
    const key = { keyId: 'key_1', name: 'n', scopes: ['read'], kind: 'service', expiresAt: at(90) } as const;
    await send(apiKeyAggregate, 'key_1', { type: 'IssueApiKey', ...by(5), ...key });
    await send(apiKeyAggregate, 'key_1', { type: 'RevokeApiKey', ...by(10) });
    await send(workspaceAggregate, WORKSPACE, { type: 'CreateWorkspace', ...by(5), workspaceId: WORKSPACE, name: 'n' });
    const keys = [{ subject: 'usr_1', generation: 1 }];
    await send(subjectAggregate, 'usr_1', { type: 'EraseSubject', ...by(5), subjectId: 'usr_1', keys });
    const parked = { endpointId: 'whe_1', deliveryId: 'dlv_1', eventType: 'post.published', attempts: 3 };
    await send(deliveryAggregate, 'dlv_1', { type: 'ParkDelivery', ...by(5), ...parked });
    const { keyId: id, ...shown } = key;
    for (const [type, thing, state] of [
      ['api_key', id, { id, ...shown, status: 'live' }],
      ['workspace', WORKSPACE, { id: WORKSPACE, name: 'n' }],
      ['subject', 'usr_1', { id: 'usr_1', erased: true }],
      ['webhook_delivery', 'dlv_1', { id: 'dlv_1', status: 'parked', attempts: 3 }],
    ] as const)
      expect(await then(type, thing, 7)).toEqual({ entityType: type, id: thing, at: at(7), revision: 0, state });
    expect((await then('api_key', 'key_1', 10))?.state).toEqual({ id, ...shown, status: 'revoked' });
  });

  it('shows all that the log has before the last that had happened by then, whatever the clock of it said', async () => {
    const about = { platform: 'x', username: 'n', profileId: 'p', credentialExpiresAt: null };
    const change = (minute: number, expiresAt: Instant) =>
      send(accountAggregate, 'acct_clocks', { type: 'RenewCredential', ...by(minute), expiresAt });
    await send(accountAggregate, 'acct_clocks', {
      type: 'ConnectAccount',
      ...by(20),
      accountId: 'acct_clocks',
      ...about,
    });
    await change(40, at(90));
    // Another process, whose clock is late.
    await change(30, at(95));
    const state = (minute: number) => then('account', 'acct_clocks', minute);
    expect(await state(25)).toMatchObject({ revision: 0, state: { credentialExpiresAt: null } });
    expect(await state(30)).toMatchObject({ revision: 2, state: { credentialExpiresAt: at(95) } });
  });

  it('shows a team with its members, and the plan that held then', async () => {
    const pending = {
      id: 'inv_1',
      email: 'a@example.com',
      role: 'editor',
      invitedBy: 'usr_1',
      status: 'pending',
      acceptedBy: null,
    };
    expect((await then('team', WORKSPACE, 7))?.state).toEqual({ members: [], invitations: [pending] });
    expect((await then('team', WORKSPACE, 12))?.state).toEqual({
      members: [{ userId: 'usr_2', role: 'editor', inviteId: 'inv_1' }],
      invitations: [{ ...pending, status: 'accepted', acceptedBy: 'usr_2' }],
    });
    const later = { inviteId: 'inv_2', email: 'b@example.com', role: 'viewer' } as const;
    await send(teamAggregate, WORKSPACE, { type: 'InviteMember', ...by(40), ...later });
    await send(teamAggregate, WORKSPACE, { type: 'AcceptInvitation', ...by(41), inviteId: 'inv_2', userId: 'usr_3' });
    // As in the lists: newest first.
    expect((await then('team', WORKSPACE, 42))?.state).toMatchObject({
      members: [{ userId: 'usr_3' }, { userId: 'usr_2' }],
      invitations: [{ id: 'inv_2' }, { id: 'inv_1' }],
    });
    expect((await then('subscription', WORKSPACE, 12))?.state).toMatchObject({
      plan: 'free',
      upcoming: { plan: 'pro' },
    });
    expect((await then('subscription', WORKSPACE, 21))?.state).toEqual({ plan: 'pro', upcoming: null });
  });
});
