import { Recent } from '#kernel';
import { createPostEzSigner, createStandardSigner, type Signer } from '#webhook-signing';
import type { Contract } from './contract';

export interface Signable {
  readonly id: string;
  readonly type: string;
  readonly body: string;
  /** Unix seconds of this attempt. */
  readonly timestampSeconds: number;
  /** Per endpoint, from 1; a test has none. */
  readonly sequence?: number;
  /** A delivery that is sent again on request says so here and not in its body (CONTRACTS §4). */
  readonly replay?: boolean;
}

/**
 * All headers of one attempt, lower-case, but those of HTTP itself. `secrets` are the live ones in clear, newest
 * first: each makes one signature (rotation).
 */
export function signHeaders(contract: Contract, secrets: readonly string[], attempt: Signable): Record<string, string> {
  const headers = signed(contract, secrets, attempt);
  const own = contract.headers(attempt);
  for (const name in own) headers[name] = own[name]!;
  if (attempt.sequence !== undefined) headers['webhook-sequence'] = String(attempt.sequence);
  if (attempt.replay) headers['webhook-replay'] = 'true';
  return headers;
}

/** One literal per scheme: an object that is put together key by key costs as much as the HMAC. */
function signed(
  { signature, contentType }: Contract,
  secrets: readonly string[],
  { id, body, timestampSeconds }: Signable,
): Record<string, string> {
  switch (signature) {
    case 'standard-webhooks':
      return {
        'content-type': contentType,
        'user-agent': USER_AGENT,
        'webhook-id': id,
        'webhook-timestamp': String(timestampSeconds),
        'webhook-signature': signatures(createStandardSigner, secrets, id, timestampSeconds, body, ' '),
      };
    case 'post-ez':
      return {
        'content-type': contentType,
        'user-agent': USER_AGENT,
        'x-postez-signature': `t=${timestampSeconds},${signatures(createPostEzSigner, secrets, id, timestampSeconds, body, ',')}`,
      };
  }
}

const USER_AGENT = 'Postledger-Webhooks/1';

function signatures(
  make: (secret: string) => Signer,
  secrets: readonly string[],
  id: string,
  at: number,
  body: string,
  joiner: string,
): string {
  if (secrets.length === 1) return signerOf(make, secrets[0]!)(id, at, body);
  if (secrets.length === 0) throw new Error('An endpoint without a live secret cannot be signed for');
  return secrets.map((secret) => signerOf(make, secret)(id, at, body)).join(joiner);
}

/** Keys are derived once per secret. `whsec_` and `pez_` keep the schemes apart. */
const signers = new Recent<string, Signer>(20_000);
function signerOf(make: (secret: string) => Signer, secret: string): Signer {
  let signer = signers.get(secret);
  if (signer === undefined) {
    signer = make(secret);
    signers.set(secret, signer);
  }
  return signer;
}
