import { Inject, Injectable } from '@nestjs/common';
import { derivedUuid, type Instant } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import type { Contract } from '#webhook-contracts';
import { generateSecret } from '#webhook-signing';
import type { EndpointSecret } from '#webhooks';
import type { Call } from '../http/call';

/** A secret in clear, to be shown once, beside the form in which it is kept. */
export interface MadeSecret {
  readonly text: string;
  readonly kept: { readonly id: string; readonly box: string };
}

/** Makes signing secrets and opens them. */
@Injectable()
export class EndpointSecrets {
  constructor(@Inject(ENGINES) private readonly engines: Engines) {}

  /** Derived from the command, so that one that is repeated after a crash shows the secret that the log holds. */
  make(contract: Contract, call: Call): MadeSecret {
    const { commandId } = call.context;
    const bytes = this.engines.secrets.derive(`signing secret\n${call.workspace}\n${commandId}`, 32);
    const text = generateSecret(contract.signature === 'post-ez' ? 'pez' : 'whsec', bytes);
    return { text, kept: { id: `sec_${derivedUuid(commandId, 'secret')}`, box: this.engines.secrets.encrypt(text) } };
  }

  /** The secrets that sign at `at`, in clear, newest first. */
  live(secrets: readonly EndpointSecret[], at: Instant): string[] {
    return secrets
      .filter(({ expiresAt }) => expiresAt === null || expiresAt > at)
      .map(({ box }) => this.engines.secrets.decrypt(box));
  }
}
