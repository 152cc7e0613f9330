import { Inject, Injectable } from '@nestjs/common';
import type { Instant } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import { KeyStore } from './key-store';

/** A key as it is kept: all but its text. */
export interface NewKey {
  readonly workspace: string;
  readonly id: string;
  readonly name: string;
  readonly kind: 'service' | 'client';
  readonly scopes: readonly string[];
  readonly createdAt: Instant;
  readonly expiresAt: Instant | null;
}

/**
 * The texts that a key may have: the same for the same command, so that a repeated one shows it again; unguessable without the secret key.
 * By each secret key, the present one first: the command may have been begun before a rotation.
 */
export const keyTexts = (secrets: Engines['secrets'], workspace: string, commandId: string): [string, ...string[]] =>
  secrets.derived(`api key\n${workspace}\n${commandId}`).map((bytes) => `plk_${bytes.toString('base64url')}`) as [
    string,
    ...string[],
  ];

/** Writes a key down by its hash, and returns the hash that it has: a second time for the same id changes nothing. */
export async function insertKey(
  { db, secrets }: Pick<Engines, 'db' | 'secrets'>,
  key: NewKey,
  text: string,
): Promise<string> {
  const { workspace, id, name, kind, scopes, createdAt, expiresAt } = key;
  const [row] = await db.query<{ hash: string }>(
    `insert into api.key (workspace, id, name, kind, scopes, hash, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (workspace, id) do update set id = excluded.id returning hash`,
    [workspace, id, name, kind, scopes, secrets.fingerprint(text), createdAt, expiresAt],
  );
  return row!.hash;
}

/** Makes keys usable and ends them. */
@Injectable()
export class KeyIssuer {
  constructor(
    @Inject(ENGINES) private readonly engines: Engines,
    @Inject(KeyStore) private readonly keys: KeyStore,
  ) {}

  /** Makes the key of this command usable; returns its text. */
  async issue(key: NewKey, commandId: string): Promise<string> {
    const { secrets } = this.engines;
    const texts = keyTexts(secrets, key.workspace, commandId);
    const hash = await insertKey(this.engines, key, texts[0]);
    this.keys.changed();
    const text = texts.find((each) => secrets.fingerprints(each).includes(hash));
    if (text === undefined) throw new Error(`Key ${key.id} was made under a secret key that is not known any more`);
    return text;
  }

  /** Ends a key in every process; one that has ended stays so. False when there is none. */
  async revoke(workspace: string, id: string): Promise<boolean> {
    // The other processes are told by the very commit that ends it: one that dies right after has told them.
    const rows = await this.engines.db.query(
      `with ended as (update api.key set revoked_at = coalesce(revoked_at, now()) where workspace = $1 and id = $2 returning id)
       select id, pg_notify('keys_changed', '') from ended`,
      [workspace, id],
    );
    if (rows.length > 0) this.engines.wake.local('keys_changed');
    return rows.length > 0;
  }
}
