import type { EventSchemas, Message, Personal } from '#kernel';

export const ROLES = ['owner', 'admin', 'editor', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

export type TeamEvent =
  | Message<
      'MemberInvited',
      { readonly inviteId: string; readonly email: Personal; readonly role: Role; readonly invitedBy: string }
    >
  | Message<'MemberJoined', { readonly userId: string; readonly inviteId: string; readonly role: Role }>
  | Message<
      'RoleChanged',
      { readonly userId: string; readonly oldRole: Role; readonly newRole: Role; readonly changedBy: string }
    >;

export const teamEvents: EventSchemas<TeamEvent> = {
  MemberInvited: { version: 1, personal: { email: ({ inviteId }) => inviteId } },
  MemberJoined: { version: 1 },
  RoleChanged: { version: 1 },
};
