import { randomBytes } from 'node:crypto';

/** `whsec` for Standard Webhooks, `pez` for Post-EZ. */
export type SecretKind = 'whsec' | 'pez';

/** A new signing secret of 32 bytes: `whsec_<base64>`, or `pez_` and 43 base64url characters. `bytes` only when it must be made again. */
export const generateSecret = (kind: SecretKind, bytes: Uint8Array = randomBytes(32)): string =>
  kind === 'whsec'
    ? `whsec_${Buffer.from(bytes).toString('base64')}`
    : `pez_${Buffer.from(bytes).toString('base64url')}`;
