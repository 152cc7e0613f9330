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
export function signHeaders(
  contract: Contract,
  secrets: readonly string[],
  { id, type, body, timestampSeconds, sequence, replay }: Signable,
): Record<string, string> {
  const headers = { ...contract.headers({ type, id }) };
  headers['content-type'] = contract.contentType;
  headers['user-agent'] = 'Postledger-Webhooks/1';
  if (sequence !== undefined) headers['webhook-sequence'] = String(sequence);
  if (replay) headers['webhook-replay'] = 'true';
  switch (contract.signature) {
    case 'standard-webhooks':
      headers['webhook-id'] = id;
      headers['webhook-timestamp'] = String(timestampSeconds);
      headers['webhook-signature'] = signatures(createStandardSigner, secrets, id, timestampSeconds, body, ' ');
      return headers;
    case 'post-ez':
      headers['x-postez-signature'] =
        `t=${timestampSeconds},${signatures(createPostEzSigner, secrets, id, timestampSeconds, body, ',')}`;
      return headers;
  }
}

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

const MAX_SIGNERS = 10_000;

/** Keys are derived once per secret; the oldest is forgotten first. `whsec_` and `pez_` keep the schemes apart. */
const signers = new Map<string, Signer>();
function signerOf(make: (secret: string) => Signer, secret: string): Signer {
  let signer = signers.get(secret);
  if (signer === undefined) {
    signer = make(secret);
    signers.set(secret, signer);
    if (signers.size > MAX_SIGNERS) signers.delete(signers.keys().next().value!);
  }
  return signer;
}
