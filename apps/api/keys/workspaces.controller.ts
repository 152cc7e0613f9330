import { Body } from '@nestjs/common';
import { apiKeyAggregate, workspaceAggregate } from '#workspace';
import { Commands } from '../commands/commands';
import { TheCall, type Call } from '../http/call';
import { ApiController, Write } from '../http/routes';
import { WORKSPACE_SCOPES } from '../http/scopes';
import { KeyIssuer } from './key-issuer';
import { CreateWorkspace, newWorkspace } from './keys.dto';

@ApiController('workspaces', 'Workspaces and keys')
export class WorkspacesController {
  constructor(
    private readonly commands: Commands,
    private readonly issuer: KeyIssuer,
  ) {}

  @Write('', {
    scope: 'operator',
    status: 201,
    body: CreateWorkspace,
    answer: newWorkspace,
    tagged: true,
    errors: ['WORKSPACE_ALREADY_EXISTS'],
    summary: 'Make a workspace and its first key',
  })
  async create(
    @Body() { id = '', name }: CreateWorkspace,
    @TheCall() call: Call,
  ): Promise<{ id: string; apiKey: string }> {
    const workspace = id || call.newId('ws');
    // The workspace's log begins with itself: what follows is written there, and not where the operator's key belongs.
    const there = call.within(workspace);
    const created = await this.commands.run(
      workspaceAggregate,
      workspace,
      { type: 'CreateWorkspace', workspaceId: workspace, name },
      there,
    );
    const keyId = call.newId('key');
    const key = { keyId, name: 'first', scopes: WORKSPACE_SCOPES, kind: 'service', expiresAt: null } as const;
    await this.commands.also(apiKeyAggregate, keyId, { type: 'IssueApiKey', ...key }, there, created);
    const apiKey = await this.issuer.issue(
      { ...key, id: keyId, workspace, createdAt: call.at },
      call.context.commandId,
    );
    return { id: workspace, apiKey };
  }
}
