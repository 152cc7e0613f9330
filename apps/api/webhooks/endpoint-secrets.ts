import { Inject, Injectable } from '@nestjs/common';
import { derivedUuid, type Instant } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import type { Contract } from '#webhook-contracts';
import { generateSecret } from '#webhook-signing';
import { signsAt, type EndpointSecret } from '#webhooks';
import type { Call } from '../http/call';

/** Makes signing secrets and opens them. */
@Injectable()
export class EndpointSecrets {
  constructor(@Inject(ENGINES) private readonly engines: Engines) {}

  /** A new secret, closed. It is shown as the log has it (`newest`): a command that is repeated after a crash made another at its first try. */
  make(
    contract: Contract | undefined,
    { context: { commandId } }: Call,
  ): { readonly id: string; readonly box: string } {
    const text = generateSecret(contract?.signature === 'post-ez' ? 'pez' : 'whsec');
    return { id: `sec_${derivedUuid(commandId, 'secret')}`, box: this.engines.secrets.encrypt(text) };
  }

  /** The newest secret in clear, to be shown once. */
  newest([newest]: readonly EndpointSecret[]): string {
    return this.engines.secrets.decrypt(newest!.box);
  }

  /** The secrets that sign at `at`, in clear, newest first. */
  live(secrets: readonly EndpointSecret[], at: Instant): string[] {
    return secrets.filter((secret) => signsAt(secret, at)).map(({ box }) => this.engines.secrets.decrypt(box));
  }
}
