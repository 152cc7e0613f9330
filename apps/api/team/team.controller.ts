import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { invitationOf, memberOf, type InvitationView, type MemberView, type Page } from '#read-models';
import { teamAggregate, teamErrors, type Team, type TeamCommand } from '#workspace';
import type { Asked } from '../commands/commands';
import { Parts, type Part } from '../commands/parts';
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
  async invite(@Body() { id, email, role }: InviteMember, @TheCall() call: Call): Promise<InvitationView> {
    const inviteId = id ?? call.newId('inv');
    const asked = { type: 'InviteMember', inviteId, email, role } as const;
    return this.invitation(await this.run(this.anInvitation(inviteId), asked, call), inviteId);
  }

  @Command('invitations/:id/accept', {
    body: AcceptInvitation,
    answer: invitationAnswer,
    errors: ['INVITATION_NOT_FOUND', 'INVITATION_ALREADY_ACCEPTED', 'MEMBER_ALREADY_EXISTS'],
    summary: 'Join by an invitation',
  })
  async accept(
    @Param('id') id: string,
    @Body() { userId }: AcceptInvitation,
    @TheCall() call: Call,
  ): Promise<InvitationView> {
    const asked = { type: 'AcceptInvitation', inviteId: id, userId } as const;
    return this.invitation(await this.run(this.anInvitation(id), asked, call), id);
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
    const part = { query: this.things.models.members, id: userId };
    const member = memberOf(await this.run(part, { type: 'ChangeRole', userId, role }, call), userId);
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

  private run<V extends object>(part: Part<V>, asked: Asked<TeamCommand>, call: Call): Promise<Team> {
    return this.parts.run(teamAggregate, part, asked, call);
  }

  private anInvitation(id: string): Part<InvitationView> {
    return { query: this.things.models.invitations, id };
  }

  private invitation(team: Team, id: string): InvitationView {
    const found = invitationOf(team, id);
    if (!found) throw noInvitation();
    return found;
  }
}
