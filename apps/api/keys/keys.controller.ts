import { Body, Inject, Param, Query } from '@nestjs/common';
import { apiKeyAggregate, apiKeyErrors } from '#workspace';
import { staleRevision } from '#event-store';
import { errorsOf } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import { Commands } from '../commands/commands';
import { TheCall, type Call } from '../http/call';
import { DEFAULT_LIMIT, PageQuery } from '../http/page.query';
import { ApiController, Read, Write } from '../http/routes';
import { SCOPES } from '../http/scopes';
import { ENVIRONMENT_KEY } from './first-workspace';
import { KeyIssuer } from './key-issuer';
import { apiKeyPage, IssueApiKey, newApiKey } from './keys.dto';
import { listKeys, type ListedKey } from './keys.query';

const fail = errorsOf(apiKeyErrors);

/** The scopes that a body names, whatever they are. */
function givenBy(body: unknown): readonly unknown[] {
  const { scopes } = (body ?? {}) as { scopes?: unknown };
  return Array.isArray(scopes) ? scopes : [];
}

@ApiController('api-keys', 'Workspaces and keys')
export class KeysController {
  constructor(
    private readonly commands: Commands,
    private readonly issuer: KeyIssuer,
    @Inject(ENGINES) private readonly engines: Engines,
  ) {}

  @Write('', {
    scope: 'admin',
    status: 201,
    body: IssueApiKey,
    gives: (body) => SCOPES.filter((scope) => givenBy(body).includes(scope)),
    answer: newApiKey,
    tagged: true,
    errors: ['API_KEY_ALREADY_EXISTS'],
    summary: 'Issue a key; it is shown this once',
  })
  async issue(@Body() body: IssueApiKey, @TheCall() call: Call): Promise<{ id: string; key: string }> {
    const { name, scopes, kind = 'service', expiresAt = null } = body;
    const key = { name, scopes, kind, expiresAt };
    const id = body.id ?? call.newId('key');
    if (id === ENVIRONMENT_KEY) throw fail('API_KEY_ALREADY_EXISTS');
    await this.commands.run(apiKeyAggregate, id, { type: 'IssueApiKey', keyId: id, ...key }, call);
    const { workspace, at: createdAt, context } = call;
    const text = await this.issuer.issue({ ...key, workspace, id, createdAt }, context.commandId);
    return { id, key: text };
  }

  @Read('', { scope: 'admin', query: PageQuery, answer: apiKeyPage, summary: 'List the keys, without their texts' })
  list(
    @Query() { limit = DEFAULT_LIMIT, cursor }: PageQuery,
    @TheCall() call: Call,
  ): Promise<{ data: ListedKey[]; nextCursor: string | null }> {
    return listKeys(this.engines.db, call.workspace, limit, cursor);
  }

  @Write(':id', {
    method: 'DELETE',
    scope: 'admin',
    status: 204,
    tagged: true,
    errors: ['API_KEY_NOT_FOUND'],
    summary: 'End a key at once',
  })
  async revoke(@Param('id') id: string, @TheCall() call: Call): Promise<void> {
    await this.refuseUnlessLive(id, call);
    // First the key, then the log: it must not open anything once the log says that it ended. What ended is refused no more.
    if (!(await this.issuer.revoke(call.workspace, id))) throw fail('API_KEY_NOT_FOUND');
    await this.commands.run(apiKeyAggregate, id, { type: 'RevokeApiKey' }, call, null);
  }

  /** Throws API_KEY_NOT_FOUND and REVISION_STALE as the command would, unless it is done already. */
  private async refuseUnlessLive(id: string, call: Call): Promise<void> {
    const { state, revision } = await this.commands.load(apiKeyAggregate, call.workspace, id);
    const isLive = state.status === 'live';
    if (isLive && (call.expected?.includes(revision) ?? true)) return;
    if (await this.commands.isDone(apiKeyAggregate, id, call)) return;
    throw isLive ? staleRevision(revision) : fail('API_KEY_NOT_FOUND');
  }
}
