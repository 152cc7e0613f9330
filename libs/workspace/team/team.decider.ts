import { decider, type Command, type Personal } from '#kernel';
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

/** One per workspace. There is always a team; at first it is empty. */
export interface Team {
  readonly invitations: ReadonlyMap<string, Invitation>;
  /** Roles by user id. */
  readonly members: ReadonlyMap<string, Role>;
}

export const teamDecider = decider<TeamCommand, TeamEvent, Team>({
  initial: { invitations: new Map(), members: new Map() },
  decide: {
    InviteMember: ({ actor, inviteId, email, role }, { invitations }) => {
      ensure(!invitations.has(inviteId), 'INVITATION_ALREADY_EXISTS');
      return [{ type: 'MemberInvited', data: { inviteId, email, role, invitedBy: actor } }];
    },

    AcceptInvitation: ({ inviteId, userId }, { invitations, members }) => {
      const invitation = invitations.get(inviteId);
      ensure(invitation, 'INVITATION_NOT_FOUND');
      ensure(invitation.acceptedBy === null, 'INVITATION_ALREADY_ACCEPTED');
      ensure(!members.has(userId), 'MEMBER_ALREADY_EXISTS');
      return [{ type: 'MemberJoined', data: { userId, inviteId, role: invitation.role } }];
    },

    ChangeRole: ({ actor, userId, role }, { members }) => {
      const oldRole = members.get(userId);
      ensure(oldRole, 'MEMBER_NOT_FOUND');
      return oldRole === role
        ? []
        : [{ type: 'RoleChanged', data: { userId, oldRole, newRole: role, changedBy: actor } }];
    },
  },
  evolve: {
    MemberInvited: ({ invitations, members }, { inviteId, email, role, invitedBy }) => ({
      invitations: new Map(invitations).set(inviteId, { email, role, invitedBy, acceptedBy: null }),
      members,
    }),
    MemberJoined: ({ invitations, members }, { userId, inviteId, role }) => {
      const invitation = invitations.get(inviteId);
      if (!invitation) throw new Error(`Somebody joined by invitation ${inviteId}, which was never made`);
      return {
        invitations: new Map(invitations).set(inviteId, { ...invitation, acceptedBy: userId }),
        members: new Map(members).set(userId, role),
      };
    },
    RoleChanged: ({ invitations, members }, { userId, newRole }) => ({
      invitations,
      members: new Map(members).set(userId, newRole),
    }),
  },
});
