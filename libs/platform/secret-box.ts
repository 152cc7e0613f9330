import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

const keyOf = (base64: string): Key => {
  const bytes = Buffer.from(base64, 'base64');
  return { id: createHash('sha256').update(bytes).digest('hex').slice(0, 8), bytes };
};

const markingOf = ({ bytes }: Key): Buffer => createHmac('sha256', bytes).update('postledger fingerprint').digest();

/** A box that the present keys cannot open. Says nothing of what is in it. */
export class SecretBoxError extends Error {
  override name = 'SecretBoxError';
}

/**
 * Encrypts secrets at rest: AES-256-GCM, as `v1.<key id>.<nonce, ciphertext and tag in base64url>`.
 * The key id lets the key be rotated: the previous key still opens, the present one always closes.
 */
export class SecretBox {
  private readonly keys: ReadonlyMap<string, Key>;
  private readonly present: Key;
  private readonly marking: Buffer;
  private readonly previousMarking: Buffer | undefined;

  /** Keys: 32 bytes in base64. */
  constructor(secretKey: string, previous?: string) {
    this.present = keyOf(secretKey);
    this.keys = new Map([previous ? keyOf(previous) : this.present, this.present].map((key) => [key.id, key]));
    this.marking = markingOf(this.present);
    this.previousMarking = previous ? markingOf(keyOf(previous)) : undefined;
  }

  encrypt(text: string): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.present.bytes, nonce);
    const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `v1.${this.present.id}.${sealed.toString('base64url')}`;
  }

  /** Whether a box was closed with the present key, and not the one before. */
  isPresent(box: string): boolean {
    return box.split('.')[1] === this.present.id;
  }

  /** Throws SecretBoxError for another key's box or one that was changed. */
  decrypt(box: string): string {
    const [version, id, sealed] = box.split('.') as [string, string?, string?];
    const key = this.keys.get(id ?? '');
    if (version !== 'v1' || !key || !sealed) throw new SecretBoxError('The box was closed with another key');
    const bytes = Buffer.from(sealed, 'base64url');
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(-16));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new SecretBoxError('The box was changed', { cause });
    }
  }

  /** A keyed HMAC-SHA256 in hex: equal texts have equal marks, and a mark tells nothing without the key. */
  fingerprint(text: string): string {
    return createHmac('sha256', this.marking).update(text).digest('hex');
  }

  /** The fingerprint made with the previous key, while it is being rotated: what was marked before is still found by it. */
  previousFingerprint(text: string): string | undefined {
    return this.previousMarking && createHmac('sha256', this.previousMarking).update(text).digest('hex');
  }

  /** Bytes that are always the same for one name, and unguessable without the key. */
  derive(name: string, length = 32): Buffer {
    return createHmac('sha512', this.marking).update(`derive\n${name}`).digest().subarray(0, length);
  }
}
