import type { Sql } from '#postgres';
import { SettingsError } from './config/settings';
import { SecretBox, SecretBoxError } from './secret-box';

const PROOF = 'postledger';

/** Secret keys, 32 bytes in base64 each. */
export interface SecretKeys {
  /** What closes. */
  readonly present: string;
  /** The one before, told once: it is kept in the database for every later start. */
  readonly previous?: string | undefined;
  /** The one after, which other processes may close with already. */
  readonly next?: string | undefined;
}

/**
 * The master key with all that came before it; without `previous` the chain is opened as far as the present key reaches. Throws a SettingsError when the
 * key is not the one of this database.
 */
export async function openSecretBox(sql: Sql, { present, previous, next }: SecretKeys): Promise<SecretBox> {
  const others = [previous, next].filter((key) => key !== undefined && key !== present) as string[];
  const box = await withKept(sql, new SecretBox(present, others));
  await prove(sql, box, next);
  if (previous !== undefined && previous !== present) {
    const [closedBy, id] = box.ids;
    await sql.query('insert into secret.former_key (id, closed_by, box) values ($1, $2, $3) on conflict do nothing', [
      id,
      closedBy,
      box.encrypt(previous),
    ]);
  }
  return box;
}

async function withKept(sql: Sql, given: SecretBox): Promise<SecretBox> {
  const kept = await sql.query<{ id: string; box: string }>('select id, box from secret.former_key order by kept_at');
  for (let box = given; ;) {
    // What is closed with none of them is of a later key: this process is of a start before a rotation.
    const next = kept.find((one) => !box.ids.includes(one.id) && box.opens(one.box));
    if (!next) return box;
    box = box.withFormer(box.decrypt(next.box));
  }
}

/**
 * Nothing that is stored could be opened with another key than the one of this database, and what is closed with it nobody else could open.
 * The first key is taken as it is; one that is rotated in (with the one before beside it) takes its place, and the one before does not take it back.
 */
async function prove(sql: Sql, secrets: SecretBox, next: string | undefined): Promise<void> {
  await sql.query('insert into secret.master_key (proof) values ($1) on conflict do nothing', [secrets.encrypt(PROOF)]);
  const [known] = await sql.query<{ proof: string }>('select proof from secret.master_key');
  const { proof } = known!;
  try {
    secrets.decrypt(proof);
  } catch (cause) {
    if (!(cause instanceof SecretBoxError)) throw cause;
    throw new SettingsError(
      'The secrets in this database were encrypted with another POSTLEDGER_SECRET_KEY: set that one (npm start keeps its own in DATA_DIR/secret-key), or name it in POSTLEDGER_SECRET_KEY_PREVIOUS.',
      { cause },
    );
  }
  if (secrets.isPresent(proof) || (next !== undefined && new SecretBox(next).isPresent(proof))) return;
  await sql.query('update secret.master_key set proof = $1 where proof = $2', [secrets.encrypt(PROOF), proof]);
}
