import { allEntries, entry } from '#kernel';
import type { Role, Team, TeamEvent } from '#workspace';
import type { KeyedView } from '../keyed/keyed-view';

/** A member as `GET /team/members/:userId` answers. */
export interface MemberView {
  readonly userId: string;
  readonly role: Role;
  /** The invitation that was accepted. */
  readonly inviteId: string;
}

/** A member out of the team's state; undefined for somebody who is none. */
export function memberOf({ members, invitations }: Team, userId: string): MemberView | undefined {
  const member = entry(members, userId);
  const accepted = allEntries(invitations).find(([, { acceptedBy }]) => acceptedBy === userId);
  return member && accepted && { userId, role: member.role, inviteId: accepted[0] };
}

function evolve(member: MemberView | undefined, { type, data }: TeamEvent): MemberView {
  switch (type) {
    case 'MemberJoined':
      return { userId: data.userId, role: data.role, inviteId: data.inviteId };
    case 'RoleChanged':
    case 'MemberInvited':
      if (!member || type === 'MemberInvited') throw new Error(`${type} tells nothing of a member who never joined`);
      return { ...member, role: data.newRole };
  }
}

/** A team's stream, by member. */
export const membersView: KeyedView<MemberView, MemberView> = {
  name: 'team_members',
  shape: 2,
  category: 'team',
  isDivided: true,
  keys: ({ type, data }) => (type === 'MemberInvited' ? [] : [(data as { userId: string }).userId]),
  evolve: (member, event) => evolve(member, event as unknown as TeamEvent),
  columns: { role: { type: 'text', of: ({ role }) => role } },
  filters: { role: { column: 'role', how: 'is' } },
  present: (member) => member,
};
