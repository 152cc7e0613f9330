import type { EventSchemas, Message } from '#kernel';

export type WorkspaceEvent = Message<'WorkspaceCreated', { readonly workspaceId: string; readonly name: string }>;

export const workspaceEvents: EventSchemas<WorkspaceEvent> = {
  WorkspaceCreated: { version: 1 },
};
