import type { Sql } from '#postgres';
import { SecretBox } from './secret-box';

/**
 * The master key with all that came before it. `previous`, once told, is kept in the database for every later start; without it the chain is
 * opened as far as the present key reaches. Keys: 32 bytes in base64.
 */
export async function openSecretBox(sql: Sql, secretKey: string, previous?: string): Promise<SecretBox> {
  if (previous !== undefined && previous !== secretKey) {
    const box = new SecretBox(secretKey, [previous]);
    const [closedBy, id] = box.ids as [string, string];
    await sql.query('insert into secret.former_key (id, closed_by, box) values ($1, $2, $3) on conflict do nothing', [
      id,
      closedBy,
      box.encrypt(previous),
    ]);
  }
  const kept = await sql.query<{ id: string; box: string }>('select id, box from secret.former_key order by kept_at');
  for (let box = new SecretBox(secretKey); ;) {
    // What is closed with none of them is of a later key: this process is of a start before a rotation.
    const next = kept.find((one) => !box.ids.includes(one.id) && box.opens(one.box));
    if (!next) return box;
    box = box.withFormer(box.decrypt(next.box));
  }
}
