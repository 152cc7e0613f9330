import type { InvitationView } from '#read-models';
import { ROLES, type Role } from '#workspace';
import { Email, Id, OneOf, wordsOf } from '../http/fields';
import { PageQuery } from '../http/page.query';
import { answer, erased, nullable, object, oneOf, pageOf, personal, text } from '../openapi/schema';

const INVITATION_STATUSES = wordsOf<InvitationView['status']>({ pending: true, accepted: true });

export class InviteMember {
  @Id('inv', { optional: true })
  id?: string;

  @Email({ example: 'ada@example.com' })
  email!: string;

  @OneOf(ROLES)
  role!: Role;
}

export class AcceptInvitation {
  @Id('usr', { example: 'usr_ada' })
  userId!: string;
}

export class ChangeRole {
  @OneOf(ROLES)
  role!: Role;
}

export class InvitationsQuery extends PageQuery {
  @OneOf(INVITATION_STATUSES, { optional: true })
  status?: string;
}

export class MembersQuery extends PageQuery {
  @OneOf(ROLES, { optional: true })
  role?: string;
}

const role = oneOf(...ROLES);
export const invitationAnswer = answer(
  'Invitation',
  'The invitation',
  object({
    id: text,
    email: personal,
    role,
    invitedBy: text,
    status: oneOf(...INVITATION_STATUSES),
    acceptedBy: nullable(text),
    ...erased,
  }),
);
export const invitationPage = pageOf(invitationAnswer);
export const memberAnswer = answer('Member', 'The member', object({ userId: text, role, inviteId: text }));
export const memberPage = pageOf(memberAnswer);
