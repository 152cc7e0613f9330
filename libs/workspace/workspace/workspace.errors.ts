import { ensureOf } from '#kernel';

export const workspaceErrors = {
  WORKSPACE_ALREADY_EXISTS: ['conflict', 'A workspace with this id exists already.'],
} as const;

export const ensure: ReturnType<typeof ensureOf<typeof workspaceErrors>> = ensureOf(workspaceErrors);
