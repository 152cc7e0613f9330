import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import type { Recent, Sealed } from '#kernel';
import { sealedName, type KeyName } from './sealed-text';

const NONCE = 12;
const TAG = 16;

/** A new key's 32 bytes, in base64. */
export const newKey = (): string => randomBytes(32).toString('base64');

/** So much of a ciphertext, which begins with its nonce, tells it from the others of a moment. */
const NAMING = 24;

/** A value sealed a moment ago. */
export interface Carried {
  readonly by: SubjectKey;
  readonly ciphertext: string;
  readonly json: string;
}

/**
 * One generation of a subject's key. A value is sealed with AES-256-GCM under a nonce that follows from place and value: 96 bits of
 * SHA-256 over a secret of its own and them (cut so short, the hash of something longer cannot be continued from it). So the same event
 * retried is the same bytes, and no two values ever share a nonce but by being the same.
 */
export class SubjectKey {
  private readonly key: KeyObject;
  private readonly nonces: string;

  /** `key`: 32 bytes in base64. */
  constructor(
    readonly name: KeyName,
    key: string,
    /** What was sealed a moment ago, for the answer that tells it. */
    private readonly carried?: Recent<string, Carried>,
  ) {
    const bytes = Buffer.from(key, 'base64');
    this.key = createSecretKey(derived(bytes, 'value'));
    this.nonces = derived(bytes, 'nonce').toString('hex');
  }

  /** `place`: the event's id and the field in it. `json`: the value as JSON text. */
  seal(place: string, json: string): Sealed {
    const nonce = hash('sha256', `${this.nonces}\n${place}\n${json}`, 'buffer').subarray(0, NONCE);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce);
    const sealed = Buffer.concat([nonce, cipher.update(json, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    const ciphertext = sealed.toString('base64url');
    this.carried?.set(ciphertext.slice(0, NAMING), { by: this, ciphertext, json });
    return { $sealed: sealedName(this.name, ciphertext) };
  }

  /** The JSON text of a value; undefined when another key sealed it or it was changed since. */
  open(ciphertext: string): string | undefined {
    const carried = this.carried?.get(ciphertext.slice(0, NAMING));
    if (carried?.by === this && carried.ciphertext === ciphertext) return carried.json;
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
