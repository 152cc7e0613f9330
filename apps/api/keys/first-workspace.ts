import { derivedUuid, newId, uuidv7 } from '#kernel';
import type { Engines } from '#platform';
import { apiKeyAggregate, workspaceAggregate } from '#workspace';
import { SCOPES } from '../http/scopes';
import { insertKey, keyTexts } from './key-issuer';

/** The advisory lock under which one process makes the first workspace while the others wait. */
const LOCK = 7_305_060;
const FIRST = 'first_workspace';
/** The key of POSTLEDGER_API_KEY, whatever its text is at this start. */
const ENVIRONMENT_KEY = 'key_environment';

/**
 * The first workspace, made at the first start. With `apiKey` (POSTLEDGER_API_KEY) that is a key of it with every scope,
 * and the one of an earlier start opens nothing any more; without, one is made at the first start, and only that call returns it.
 * `keep` is told of that one before it opens anything: a process that is killed in between leaves no key that nobody has.
 */
export async function ensureFirstWorkspace(
  engines: Engines,
  { apiKey, keep }: { apiKey?: string | undefined; keep?: (text: string) => void } = {},
): Promise<{ workspaceId: string; apiKey?: string }> {
  const workspaceId = await firstWorkspaceId(engines);
  const at = engines.clock();
  const context = {
    workspace: workspaceId,
    actor: 'system',
    correlationId: derivedUuid('first workspace', workspaceId),
    causationId: null,
    at,
    repeatable: true,
  };
  const create = { type: 'CreateWorkspace', workspaceId, name: 'First workspace', at, actor: 'system' } as const;
  await engines.commands.handle(workspaceAggregate, workspaceId, create, {
    ...context,
    commandId: derivedUuid('first workspace', workspaceId),
  });

  const issue = async (id: string, name: string, text: string): Promise<void> => {
    const key = { name, scopes: [...SCOPES], kind: 'service' } as const;
    const command = { type: 'IssueApiKey', keyId: id, ...key, at, actor: 'system' } as const;
    await engines.commands.handle(apiKeyAggregate, id, command, {
      ...context,
      commandId: derivedUuid(workspaceId, `issue ${id}`),
    });
    await insertKey(engines, { ...key, workspace: workspaceId, id, createdAt: at, expiresAt: null }, text);
  };

  if (apiKey !== undefined) {
    await issue(ENVIRONMENT_KEY, 'POSTLEDGER_API_KEY', apiKey);
    // One that was ended is wanted again by a setting that still names it; first the log says so.
    const reactivate = { type: 'ReactivateApiKey', at, actor: 'system' } as const;
    await engines.commands.handle(apiKeyAggregate, ENVIRONMENT_KEY, reactivate, { ...context, commandId: uuidv7() });
    await useEnvironmentKey(engines, workspaceId, apiKey);
    return { workspaceId };
  }
  const [some] = await engines.db.query('select 1 from api.key where workspace = $1 limit 1', [workspaceId]);
  if (some) return { workspaceId };
  const [text] = keyTexts(engines.secrets, workspaceId, uuidv7());
  keep?.(text);
  await issue(newId('key'), 'first', text);
  return { workspaceId, apiKey: text };
}

async function firstWorkspaceId({ db }: Engines): Promise<string> {
  return db.tx(async (sql) => {
    await sql.query(`select pg_advisory_xact_lock(${LOCK})`);
    const [known] = await sql.query<{ value: string }>('select value from api.setting where name = $1', [FIRST]);
    if (known) return known.value;
    const id = newId('ws');
    await sql.query('insert into api.setting (name, value) values ($1, $2)', [FIRST, id]);
    return id;
  });
}

/** The text may have changed since the last start, and the row is the one place that knows it. */
async function useEnvironmentKey({ db, secrets, wake }: Engines, workspace: string, text: string): Promise<void> {
  const changed = await db.query(
    'update api.key set hash = $3, revoked_at = null where workspace = $1 and id = $2 and (hash <> $3 or revoked_at is not null) returning id',
    [workspace, ENVIRONMENT_KEY, secrets.fingerprint(text)],
  );
  if (changed.length > 0) wake.send('keys_changed');
}
