import { followingUuid, newId, uuidv7, type Aggregate, type CommandBase, type Message } from '#kernel';
import { SettingsError, type Engines } from '#platform';
import type { Sql } from '#postgres';
import { apiKeyAggregate, workspaceAggregate } from '#workspace';
import { SCOPES } from '../http/scopes';
import { insertKey, keyTexts, type NewKey } from './key-issuer';

/** The advisory lock under which one process makes the first workspace, and its key, while the others wait. */
const LOCK = 7_305_060;
const FIRST = 'first_workspace';
/** The key of POSTLEDGER_API_KEY, whatever its text is at this start. Nobody else's key has this id. */
export const ENVIRONMENT_KEY = 'key_environment';

/**
 * The first workspace, made at the first start. With `apiKey` (POSTLEDGER_API_KEY) that is a key of it with every scope,
 * and the one of an earlier start opens nothing any more; a key of it that has this text ends, for the text is the setting's from then
 * on. Without, one is made at the first start, and only that call returns it.
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
    correlationId: followingUuid(workspaceId, 'first workspace'),
    causationId: null,
    at,
    repeatable: true,
  };
  const stateOf = async <C extends CommandBase, E extends Message, S>(it: Aggregate<C, E, S>, id: string): Promise<S> =>
    (await engines.commands.load(it, workspaceId, id)).state;
  const create = { type: 'CreateWorkspace', workspaceId, name: 'First workspace', at, actor: 'system' } as const;
  // Of processes that start at once, all may find that it is not there, and say so by the same command.
  if ((await stateOf(workspaceAggregate, workspaceId)).status === 'absent')
    await engines.commands.handle(workspaceAggregate, workspaceId, create, {
      ...context,
      commandId: followingUuid(workspaceId, 'create'),
    });

  const issue = async (id: string, name: string): Promise<NewKey> => {
    const key = { name, scopes: [...SCOPES], kind: 'service', expiresAt: null } as const;
    const command = { type: 'IssueApiKey', keyId: id, ...key, at, actor: 'system' } as const;
    if ((await stateOf(apiKeyAggregate, id)).status === 'absent')
      await engines.commands.handle(apiKeyAggregate, id, command, {
        ...context,
        commandId: followingUuid(workspaceId, `issue ${id}`),
      });
    return { ...key, workspace: workspaceId, id, createdAt: at };
  };

  if (apiKey !== undefined) {
    for (const id of await othersOf(engines, workspaceId, apiKey)) {
      const commandId = followingUuid(workspaceId, `the environment takes ${id}`);
      const revoke = { type: 'RevokeApiKey', at, actor: 'system' } as const;
      if ((await stateOf(apiKeyAggregate, id)).status === 'live')
        await engines.commands.handle(apiKeyAggregate, id, revoke, { ...context, commandId });
    }
    const key = await issue(ENVIRONMENT_KEY, 'POSTLEDGER_API_KEY');
    // One that was ended is wanted again by a setting that still names it; first the log says so.
    const reactivate = { type: 'ReactivateApiKey', at, actor: 'system' } as const;
    await engines.commands.handle(apiKeyAggregate, ENVIRONMENT_KEY, reactivate, { ...context, commandId: uuidv7() });
    await useEnvironmentKey(engines, key, apiKey);
    return { workspaceId };
  }
  return alone(engines, async (sql) => {
    const [some] = await sql.query('select 1 from api.key where workspace = $1 limit 1', [workspaceId]);
    if (some) return { workspaceId };
    const [text] = keyTexts(engines.secrets, workspaceId, uuidv7());
    keep?.(text);
    await insertKey(engines, await issue(newId('key'), 'first'), text);
    return { workspaceId, apiKey: text };
  });
}

/** Of processes that start at once, one works and the others wait. */
const alone = <T>({ db }: Engines, work: (sql: Sql) => Promise<T>): Promise<T> =>
  db.tx(async (sql) => {
    await sql.query(`select pg_advisory_xact_lock(${LOCK})`);
    return work(sql);
  });

const firstWorkspaceId = (engines: Engines): Promise<string> =>
  alone(engines, async (sql) => {
    const [known] = await sql.query<{ value: string }>('select value from api.setting where name = $1', [FIRST]);
    if (known) return known.value;
    const id = newId('ws');
    await sql.query('insert into api.setting (name, value) values ($1, $2)', [FIRST, id]);
    return id;
  });

/** Keys that have the text already, such as the first one, which was printed: one text opens one key. */
async function othersOf({ db, secrets }: Engines, workspace: string, text: string): Promise<string[]> {
  const rows = await db.query<{ workspace: string; id: string }>(
    'select workspace, id from api.key where hash = any ($1) and (workspace, id) <> ($2, $3)',
    [secrets.fingerprints(text), workspace, ENVIRONMENT_KEY],
  );
  if (rows.some((row) => row.workspace !== workspace))
    throw new SettingsError('POSTLEDGER_API_KEY is the text of a key of another workspace: give it one of its own.');
  return rows.map(({ id }) => id);
}

/**
 * The text may have changed since the last start, or have been another key's, and the row is the one place that knows it. The key has
 * every scope of this release, also those that it did not have when it was issued.
 */
async function useEnvironmentKey({ db, secrets, wake }: Engines, key: NewKey, text: string): Promise<void> {
  const { workspace, id, name, kind, scopes, createdAt } = key;
  const changed = await db.tx(async (sql) => {
    await sql.query('delete from api.key where workspace = $1 and id <> $2 and hash = any ($3)', [
      workspace,
      id,
      secrets.fingerprints(text),
    ]);
    return sql.query(
      `insert into api.key (workspace, id, name, kind, scopes, hash, created_at) values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (workspace, id) do update set hash = excluded.hash, scopes = excluded.scopes, revoked_at = null
         where (key.hash, key.scopes) <> (excluded.hash, excluded.scopes) or key.revoked_at is not null returning id`,
      [workspace, id, name, kind, scopes, secrets.fingerprint(text), createdAt],
    );
  });
  if (changed.length > 0) wake.send('keys_changed');
}
