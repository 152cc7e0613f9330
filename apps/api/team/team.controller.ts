import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { invitationOf, memberOf, type InvitationView, type MemberView, type Page } from '#read-models';
import { invitationRevision, memberRevision, teamAggregate, teamErrors, type Team, type TeamCommand } from '#workspace';
import type { Asked } from '../commands/commands';
import { Parts, type RevisionIn } from '../commands/parts';
import { TheCall, type Call } from '../http/call';
import { RevisionQuery } from '../http/page.query';
import { ApiController, Read } from '../http/routes';
import { Command, Create, ReadOne } from '../http/thing-routes';
import { Things } from '../reads/things';
import {
  AcceptInvitation,
  ChangeRole,
  invitationAnswer,
  invitationPage,
  InvitationsQuery,
  InviteMember,
  memberAnswer,
  memberPage,
  MembersQuery,
} from './team.dto';

const fail = errorsOf(teamErrors);
const noInvitation = () => fail('INVITATION_NOT_FOUND');
const noMember = () => fail('MEMBER_NOT_FOUND');

/** A workspace has one team, whose stream has the workspace's id. */
@ApiController('team', 'Team')
export class TeamController {
  constructor(
    private readonly parts: Parts,
    private readonly things: Things,
  ) {}

  @Create('invitations', {
    body: InviteMember,
    answer: invitationAnswer,
    errors: ['INVITATION_ALREADY_EXISTS'],
    summary: 'Invite somebody',
  })
  invite(@Body() { id, email, role }: InviteMember, @TheCall() call: Call): Promise<InvitationView> {
    const inviteId = id ?? call.newId('inv');
    const asked = { type: 'InviteMember', inviteId, email, role } as const;
    return this.onInvitation(inviteId, asked, call);
  }

  @Command('invitations/:id/accept', {
    body: AcceptInvitation,
    answer: invitationAnswer,
    errors: ['INVITATION_NOT_FOUND', 'INVITATION_ALREADY_ACCEPTED', 'MEMBER_ALREADY_EXISTS'],
    summary: 'Join by an invitation',
  })
  accept(
    @Param('id') id: string,
    @Body() { userId }: AcceptInvitation,
    @TheCall() call: Call,
  ): Promise<InvitationView> {
    const asked = { type: 'AcceptInvitation', inviteId: id, userId } as const;
    return this.onInvitation(id, asked, call);
  }

  @Command('members/:userId/role', {
    body: ChangeRole,
    answer: memberAnswer,
    errors: ['MEMBER_NOT_FOUND'],
    summary: 'Give a member another role',
  })
  async changeRole(
    @Param('userId') userId: string,
    @Body() { role }: ChangeRole,
    @TheCall() call: Call,
  ): Promise<MemberView> {
    const team = await this.run((it) => memberRevision(it, userId), { type: 'ChangeRole', userId, role }, call);
    const member = memberOf(team, userId);
    if (!member) throw noMember();
    return member;
  }

  @Read('invitations', {
    scope: 'read',
    query: InvitationsQuery,
    answer: invitationPage,
    summary: 'List invitations, newest first',
  })
  invitations(@Query() query: InvitationsQuery, @TheCall() call: Call): Promise<Page<InvitationView>> {
    return this.things.list(this.things.models.invitations, { ...query }, call);
  }

  @ReadOne('invitations/:id', { answer: invitationAnswer, absent: 'INVITATION_NOT_FOUND', summary: 'One invitation' })
  getInvitation(
    @Param('id') id: string,
    @Query() { minRevision }: RevisionQuery,
    @TheCall() call: Call,
  ): Promise<InvitationView> {
    return this.things.get(this.things.models.invitations, id, noInvitation, call, minRevision);
  }

  @Read('members', { scope: 'read', query: MembersQuery, answer: memberPage, summary: 'List members, newest first' })
  members(@Query() query: MembersQuery, @TheCall() call: Call): Promise<Page<MemberView>> {
    return this.things.list(this.things.models.members, { ...query }, call);
  }

  @ReadOne('members/:userId', { answer: memberAnswer, absent: 'MEMBER_NOT_FOUND', summary: 'One member' })
  getMember(
    @Param('userId') userId: string,
    @Query() { minRevision }: RevisionQuery,
    @TheCall() call: Call,
  ): Promise<MemberView> {
    return this.things.get(this.things.models.members, userId, noMember, call, minRevision);
  }

  private async run(revisionIn: RevisionIn<Team>, asked: Asked<TeamCommand>, call: Call): Promise<Team> {
    return (await this.parts.run(teamAggregate, revisionIn, asked, call)).state;
  }

  private async onInvitation(id: string, asked: Asked<TeamCommand>, call: Call): Promise<InvitationView> {
    const found = invitationOf(await this.run((team) => invitationRevision(team, id), asked, call), id);
    if (!found) throw noInvitation();
    return found;
  }
}
