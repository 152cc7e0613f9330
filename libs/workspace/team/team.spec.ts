import { entry, fold, instant } from '#kernel';
import { scenariosOf } from '#testing';
import { invitationRevision, memberRevision, teamDecider, type TeamCommand } from './team.decider';
import type { Role, TeamEvent } from './team.events';

const { given } = scenariosOf(teamDecider);
const stamp = { at: instant('2026-04-22T12:00:00.000Z'), actor: 'usr_owner' };
const email = 'colleague@example.com';
const invite = (inviteId: string): TeamCommand => ({ ...stamp, type: 'InviteMember', inviteId, email, role: 'editor' });
const accept = (inviteId: string, userId: string): TeamCommand => ({
  ...stamp,
  type: 'AcceptInvitation',
  inviteId,
  userId,
});
const make = (userId: string, role: Role): TeamCommand => ({ ...stamp, type: 'ChangeRole', userId, role });
const invited = (inviteId: string): TeamEvent => ({
  type: 'MemberInvited',
  data: { inviteId, email, role: 'editor', invitedBy: 'usr_owner' },
});
const joined = (inviteId: string, userId: string): TeamEvent => ({
  type: 'MemberJoined',
  data: { userId, inviteId, role: 'editor' },
});
const changed = (oldRole: Role, newRole: Role): TeamEvent => ({
  type: 'RoleChanged',
  data: { userId: 'usr_1', oldRole, newRole, changedBy: 'usr_owner' },
});

describe('an invitation', () => {
  it('names who invited', () => given().when(invite('inv_1')).then(invited('inv_1')));
  it('has an id of its own', () => given(invited('inv_1')).when(invite('inv_1')).fails('INVITATION_ALREADY_EXISTS'));
  it('may go to the same address again', () => given(invited('inv_1')).when(invite('inv_2')).then(invited('inv_2')));
  it('makes a member with its role', () =>
    given(invited('inv_1')).when(accept('inv_1', 'usr_1')).then(joined('inv_1', 'usr_1')));
  it('must exist to be accepted', () => given().when(accept('inv_1', 'usr_1')).fails('INVITATION_NOT_FOUND'));
  it('is accepted once', () =>
    given(invited('inv_1'), joined('inv_1', 'usr_1'))
      .when(accept('inv_1', 'usr_2'))
      .fails('INVITATION_ALREADY_ACCEPTED'));
  it('makes nobody a member twice', () =>
    given(invited('inv_1'), joined('inv_1', 'usr_1'), invited('inv_2'))
      .when(accept('inv_2', 'usr_1'))
      .fails('MEMBER_ALREADY_EXISTS'));
});

describe('a role', () => {
  const team = [invited('inv_1'), joined('inv_1', 'usr_1')];
  it('is changed', () =>
    given(...team)
      .when(make('usr_1', 'admin'))
      .then(changed('editor', 'admin')));
  it('is changed from what it was changed to', () =>
    given(...team, changed('editor', 'admin'))
      .when(make('usr_1', 'viewer'))
      .then(changed('admin', 'viewer')));
  it('that is the same says nothing', () =>
    given(...team)
      .when(make('usr_1', 'editor'))
      .then());
  it('that changes leaves what was known before it as it was', () => {
    const before = fold(teamDecider, team);
    fold(teamDecider, [changed('editor', 'admin')], before);
    expect(entry(before.members, 'usr_1')?.role).toBe('editor');
  });
  it('is a change of the member alone, which counts its own', () => {
    const revisions = (...events: TeamEvent[]) => {
      const after = fold(teamDecider, [invited('inv_0'), ...events]);
      return [invitationRevision(after, 'inv_1'), memberRevision(after, 'usr_1')];
    };
    expect(revisions()).toEqual([undefined, undefined]);
    expect(revisions(invited('inv_1'))).toEqual([0, undefined]);
    expect(revisions(...team)).toEqual([1, 0]);
    expect(revisions(...team, changed('editor', 'admin'), changed('admin', 'viewer'))).toEqual([1, 2]);
  });
  it('belongs to a member', () => given(invited('inv_1')).when(make('usr_1', 'admin')).fails('MEMBER_NOT_FOUND'));
});
