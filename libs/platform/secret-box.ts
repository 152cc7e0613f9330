import { createCipheriv, createDecipheriv, createHmac, hash, randomBytes } from 'node:crypto';

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

const keyOf = (base64: string): Key => {
  const bytes = Buffer.from(base64, 'base64');
  return { id: hash('sha256', bytes).slice(0, 8), bytes };
};

const markingOf = ({ bytes }: Key): Buffer => createHmac('sha256', bytes).update('postledger fingerprint').digest();

/** A box that the present keys cannot open. Says nothing of what is in it. */
export class SecretBoxError extends Error {
  override name = 'SecretBoxError';
}

/**
 * Encrypts secrets at rest: AES-256-GCM, as `v1.<key id>.<nonce, ciphertext and tag in base64url>`.
 * The key id lets the key be rotated: the former keys still open, the present one always closes.
 */
export class SecretBox {
  /** The present key first. */
  private readonly keys: readonly [Key, ...Key[]];
  private readonly markings: readonly Buffer[];

  /** Keys: 32 bytes in base64. */
  constructor(
    private readonly secretKey: string,
    private readonly former: readonly string[] = [],
  ) {
    this.keys = [keyOf(secretKey), ...former.map(keyOf)];
    this.markings = this.keys.map(markingOf);
  }

  /** A box that also opens what this key has closed. */
  withFormer(key: string): SecretBox {
    return new SecretBox(this.secretKey, [...this.former, key]);
  }

  /** Names of its keys, the present one first; they tell nothing of the keys. */
  get ids(): readonly string[] {
    return this.keys.map(({ id }) => id);
  }

  encrypt(text: string): string {
    const [{ id, bytes }] = this.keys;
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', bytes, nonce);
    const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `v1.${id}.${sealed.toString('base64url')}`;
  }

  /** Whether a box was closed with the present key, and not with one before. */
  isPresent(box: string): boolean {
    return box.split('.')[1] === this.keys[0].id;
  }

  /** Whether a box was closed with one of its keys. */
  opens(box: string): boolean {
    return this.ids.includes(box.split('.')[1] ?? '');
  }

  /** Throws SecretBoxError for another key's box or one that was changed. */
  decrypt(box: string): string {
    const [version, id, sealed] = box.split('.') as [string, string?, string?];
    const key = this.keys.find((one) => one.id === id);
    if (version !== 'v1' || !key || !sealed) throw new SecretBoxError('The box was closed with another key');
    const bytes = Buffer.from(sealed, 'base64url');
    try {
      const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, 12), { authTagLength: 16 });
      decipher.setAuthTag(bytes.subarray(-16));
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new SecretBoxError('The box was changed', { cause });
    }
  }

  /** A keyed HMAC-SHA256 in hex: equal texts have equal marks, and a mark tells nothing without the key. */
  fingerprint(text: string): string {
    return this.fingerprints(text)[0]!;
  }

  /** The fingerprint by each key, the present one first: what was marked before a rotation is still found. */
  fingerprints(text: string): string[] {
    return this.markings.map((marking) => createHmac('sha256', marking).update(text).digest('hex'));
  }

  /** Bytes that are always the same for one name, and unguessable without the key: by each key, the present one first. */
  derived(name: string): [Buffer, ...Buffer[]] {
    const by = (marking: Buffer) => createHmac('sha512', marking).update(`derive\n${name}`).digest().subarray(0, 32);
    return this.markings.map(by) as [Buffer, ...Buffer[]];
  }
}
