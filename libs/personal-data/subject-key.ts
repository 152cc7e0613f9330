import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import type { Recent, Sealed } from '#kernel';
import { sealedName, type KeyName } from './sealed-text';

const NONCE = 12;
const TAG = 16;

/** A new key's 32 bytes, in base64. */
export const newKey = (): string => randomBytes(32).toString('base64');

/**
 * One generation of a subject's key. A value is sealed with AES-256-GCM under a nonce that follows from place and value
 * (HMAC-SHA256 with a key of its own, 96 bits): the same event retried is the same bytes, and no two values ever share a nonce
 * but by being the same.
 */
export class SubjectKey {
  private readonly key: KeyObject;
  private readonly nonces: KeyObject;

  /** `key`: 32 bytes in base64. */
  constructor(
    readonly name: KeyName,
    key: string,
    /** What was sealed a moment ago, for the answer that tells it. */
    private readonly carried?: Recent<string, string>,
  ) {
    const bytes = Buffer.from(key, 'base64');
    this.key = createSecretKey(derived(bytes, 'value'));
    this.nonces = createSecretKey(derived(bytes, 'nonce'));
  }

  /** `place`: the event's id and the field in it. `json`: the value as JSON text. */
  seal(place: string, json: string): Sealed {
    const nonce = createHmac('sha256', this.nonces).update(`${place}\n${json}`).digest().subarray(0, NONCE);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce);
    const sealed = Buffer.concat([nonce, cipher.update(json, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    const $sealed = sealedName(this.name, sealed.toString('base64url'));
    this.carried?.set($sealed, json);
    return { $sealed };
  }

  /** The JSON text of a value; undefined when another key sealed it or it was changed since. */
  open(ciphertext: string): string | undefined {
    const carried = this.carried?.get(sealedName(this.name, ciphertext));
    if (carried !== undefined) return carried;
    const bytes = Buffer.from(ciphertext, 'base64url');
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, NONCE));
      decipher.setAuthTag(bytes.subarray(-TAG));
      return decipher.update(bytes.subarray(NONCE, -TAG), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      // Whoever reads is told by the audit chain what was changed; here it cannot be read, and that is all.
      return undefined;
    }
  }
}

const derived = (key: Buffer, use: string): Buffer => createHmac('sha256', key).update(`postledger ${use}`).digest();
