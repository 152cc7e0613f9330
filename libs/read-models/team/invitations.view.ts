import { entry, type Personal } from '#kernel';
import type { Role, Team, TeamEvent } from '#workspace';
import type { KeyedView } from '../keyed/keyed-view';

/** An invitation as `GET /team/invitations/:id` answers. */
export interface InvitationView {
  readonly id: string;
  readonly email: Personal;
  readonly role: Role;
  readonly invitedBy: string;
  readonly status: 'pending' | 'accepted';
  /** Null while pending. */
  readonly acceptedBy: string | null;
}

/** An invitation out of the team's state; undefined when it was never made. */
export function invitationOf({ invitations }: Team, inviteId: string): InvitationView | undefined {
  const found = entry(invitations, inviteId);
  return found && { id: inviteId, ...found, status: found.acceptedBy === null ? 'pending' : 'accepted' };
}

function evolve(invitation: InvitationView | undefined, { type, data }: TeamEvent): InvitationView {
  switch (type) {
    case 'MemberInvited': {
      const { inviteId, email, role, invitedBy } = data;
      return { id: inviteId, email, role, invitedBy, status: 'pending', acceptedBy: null };
    }
    case 'MemberJoined':
    case 'RoleChanged':
      if (!invitation || type === 'RoleChanged')
        throw new Error(`${type} tells nothing of an invitation that was never made`);
      return { ...invitation, status: 'accepted', acceptedBy: data.userId };
  }
}

/** A team's stream, by invitation. */
export const invitationsView: KeyedView<InvitationView, InvitationView> = {
  name: 'team_invitations',
  shape: 2,
  category: 'team',
  isDivided: true,
  keys: ({ type, data }) => (type === 'RoleChanged' ? [] : [(data as { inviteId: string }).inviteId]),
  evolve: (invitation, event) => evolve(invitation, event as unknown as TeamEvent),
  columns: { status: { type: 'text', of: ({ status }) => status } },
  filters: { status: { column: 'status', how: 'is' } },
  present: (invitation) => invitation,
};
