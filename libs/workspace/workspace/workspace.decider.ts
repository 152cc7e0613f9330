import { decider, type Command } from '#kernel';
import { ensure } from './workspace.errors';
import type { WorkspaceEvent } from './workspace.events';

export type WorkspaceCommand = Command<'CreateWorkspace', { readonly workspaceId: string; readonly name: string }>;

export type Workspace =
  { readonly status: 'absent' } | { readonly status: 'created'; readonly workspaceId: string; readonly name: string };

export const workspaceDecider = decider<WorkspaceCommand, WorkspaceEvent, Workspace>({
  initial: { status: 'absent' },
  decide: {
    CreateWorkspace: ({ workspaceId, name }, workspace) => {
      ensure(workspace.status === 'absent', 'WORKSPACE_ALREADY_EXISTS');
      return [{ type: 'WorkspaceCreated', data: { workspaceId, name } }];
    },
  },
  evolve: {
    WorkspaceCreated: (_, { workspaceId, name }) => ({ status: 'created', workspaceId, name }),
  },
});
