/** Every scope of a key, in the order of API.md. */
export const SCOPES = ['read', 'commands', 'publish', 'webhooks', 'audit', 'admin', 'operator'] as const;
export type Scope = (typeof SCOPES)[number];

/** What a workspace's own first key may do: all but making further workspaces. */
export const WORKSPACE_SCOPES: readonly Scope[] = SCOPES.filter((scope) => scope !== 'operator');

/** The scopes a key has in effect: `admin` implies the ones before it. */
export const effective = (scopes: readonly string[]): ReadonlySet<string> =>
  new Set(scopes.includes('admin') ? [...WORKSPACE_SCOPES, ...scopes] : scopes);
