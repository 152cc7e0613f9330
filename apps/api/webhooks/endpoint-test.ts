import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ENGINES, type Engines } from '#platform';
import { sample, signHeaders, type Contract } from '#webhook-contracts';
import { createSender, type Sender } from '#webhook-sending';
import type { EndpointConfig } from '#webhooks';
import type { Call } from '../http/call';
import { EndpointSecrets } from './endpoint-secrets';

/** What became of a sample. */
export interface TestResult {
  readonly delivered: boolean;
  readonly statusCode?: number;
  /** The stage it failed at, and why. */
  readonly error?: string;
  readonly durationMs: number;
  /** The first 16 KiB of what the target answered. */
  readonly response?: string;
}

/** Sends samples from here, at once: they are no deliveries, have no number and are not tried again. */
@Injectable()
export class EndpointTest implements OnApplicationShutdown {
  private readonly sender: Sender;

  constructor(
    @Inject(ENGINES) engines: Engines,
    private readonly secrets: EndpointSecrets,
  ) {
    this.sender = createSender({
      sandbox: engines.settings.mode === 'sandbox',
      nameServers: engines.settings.webhookNameServers,
    });
  }

  /** One attempt with the contract's own time-out; never rejects because of the target. */
  async send(
    contract: Contract,
    { targetUrl, secrets }: EndpointConfig,
    type: string | undefined,
    { at, workspace, context: { correlationId } }: Pick<Call, 'at' | 'workspace' | 'context'>,
  ): Promise<TestResult> {
    const rendered = sample(contract, type, { at, workspace, correlationId });
    const timestampSeconds = Math.floor(Date.parse(at) / 1_000);
    const headers = signHeaders(contract, this.secrets.live(secrets, at), { ...rendered, timestampSeconds });
    const exchange = await this.sender.send({
      url: targetUrl,
      headers,
      body: rendered.body,
      timeoutMs: contract.timeoutSeconds * 1_000,
    });
    const { ok, statusCode, error, durationMs, response } = exchange;
    return {
      delivered: ok,
      ...(statusCode !== undefined && { statusCode }),
      ...(error && { error: `${error.stage}: ${error.message}` }),
      durationMs: Math.round(durationMs),
      ...(response !== undefined && { response }),
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.sender.close();
  }
}
