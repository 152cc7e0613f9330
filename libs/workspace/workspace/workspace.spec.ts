import { instant } from '#kernel';
import { scenariosOf } from '#testing';
import { workspaceDecider, type WorkspaceCommand } from './workspace.decider';
import type { WorkspaceEvent } from './workspace.events';

const { given } = scenariosOf(workspaceDecider);
const at = instant('2026-04-22T12:00:00.000Z');
const create: WorkspaceCommand = { type: 'CreateWorkspace', at, actor: 'key_1', workspaceId: 'ws_1', name: 'Band' };
const created: WorkspaceEvent = { type: 'WorkspaceCreated', data: { workspaceId: 'ws_1', name: 'Band' } };

describe('a workspace', () => {
  it('is created', () => given().when(create).then(created));
  it('is created once', () => given(created).when(create).fails('WORKSPACE_ALREADY_EXISTS'));
});
