import { decider, entry, noEntries, withEntry, type Command, type Entries, type Personal } from '#kernel';
import { ensure } from './team.errors';
import type { Role, TeamEvent } from './team.events';

export type TeamCommand =
  | Command<'InviteMember', { readonly inviteId: string; readonly email: string; readonly role: Role }>
  | Command<'AcceptInvitation', { readonly inviteId: string; readonly userId: string }>
  | Command<'ChangeRole', { readonly userId: string; readonly role: Role }>;

export interface Invitation {
  readonly email: Personal;
  readonly role: Role;
  readonly invitedBy: string;
  /** Null while nobody has accepted. */
  readonly acceptedBy: string | null;
}

export interface Member {
  readonly role: Role;
  /** How often it was changed. */
  readonly changes: number;
}

/** One per workspace. There is always a team; at first it is empty. */
export interface Team {
  readonly invitations: Entries<Invitation>;
  /** By user id. */
  readonly members: Entries<Member>;
}

/** An invitation counts its own events of the team's, from 0; undefined when it was never made. */
export function invitationRevision({ invitations }: Team, inviteId: string): number | undefined {
  const found = entry(invitations, inviteId);
  return found && (found.acceptedBy === null ? 0 : 1);
}

/** As `invitationRevision`, of a member. */
export const memberRevision = ({ members }: Team, userId: string): number | undefined =>
  entry(members, userId)?.changes;

export const teamDecider = decider<TeamCommand, TeamEvent, Team>({
  initial: { invitations: noEntries, members: noEntries },
  decide: {
    InviteMember: ({ actor, inviteId, email, role }, { invitations }) => {
      ensure(!entry(invitations, inviteId), 'INVITATION_ALREADY_EXISTS');
      return [{ type: 'MemberInvited', data: { inviteId, email, role, invitedBy: actor } }];
    },

    AcceptInvitation: ({ inviteId, userId }, { invitations, members }) => {
      const invitation = entry(invitations, inviteId);
      ensure(invitation, 'INVITATION_NOT_FOUND');
      ensure(invitation.acceptedBy === null, 'INVITATION_ALREADY_ACCEPTED');
      ensure(!entry(members, userId), 'MEMBER_ALREADY_EXISTS');
      return [{ type: 'MemberJoined', data: { userId, inviteId, role: invitation.role } }];
    },

    ChangeRole: ({ actor, userId, role }, { members }) => {
      const member = entry(members, userId);
      ensure(member, 'MEMBER_NOT_FOUND');
      return member.role === role
        ? []
        : [{ type: 'RoleChanged', data: { userId, oldRole: member.role, newRole: role, changedBy: actor } }];
    },
  },
  evolve: {
    MemberInvited: ({ invitations, members }, { inviteId, email, role, invitedBy }) => ({
      invitations: withEntry(invitations, inviteId, { email, role, invitedBy, acceptedBy: null }),
      members,
    }),
    MemberJoined: ({ invitations, members }, { userId, inviteId, role }) => {
      const invitation = entry(invitations, inviteId);
      if (!invitation) throw new Error(`Somebody joined by invitation ${inviteId}, which was never made`);
      return {
        invitations: withEntry(invitations, inviteId, { ...invitation, acceptedBy: userId }),
        members: withEntry(members, userId, { role, changes: 0 }),
      };
    },
    RoleChanged: ({ invitations, members }, { userId, newRole }) => ({
      invitations,
      members: withEntry(members, userId, { role: newRole, changes: (entry(members, userId)?.changes ?? 0) + 1 }),
    }),
  },
});
