import { ensureOf } from '#kernel';

export const teamErrors = {
  INVITATION_ALREADY_EXISTS: ['conflict', 'An invitation with this id exists already.'],
  INVITATION_NOT_FOUND: ['not-found', 'There is no such invitation.'],
  INVITATION_ALREADY_ACCEPTED: ['conflict', 'The invitation has been accepted already.'],
  MEMBER_ALREADY_EXISTS: ['conflict', 'This user is a member already.'],
  MEMBER_NOT_FOUND: ['not-found', 'There is no such member.'],
} as const;

export const ensure: ReturnType<typeof ensureOf<typeof teamErrors>> = ensureOf(teamErrors);
