import type { CoreMessage } from '#public-messages';
import type { EndpointConfig } from '#webhooks';

/** A `webhook.endpoint_changed` message: the whole configuration as of a log position. */
export interface EndpointChange {
  readonly workspace: string;
  readonly endpointId: string;
  readonly kind: 'registered' | 'updated' | 'enabled' | 'disabled' | 'secret_rotated' | 'deleted';
  readonly config: EndpointConfig;
  readonly position: number;
  /** When it happened: clocks differ, so only roughly before whatever follows from it. */
  readonly at: string;
}

export const ENDPOINT_CHANGED = 'webhook.endpoint_changed';

/** The change that an internal message of the type `webhook.endpoint_changed` tells. */
export function endpointChange({ workspace, position, dataJson, createdAt }: CoreMessage): EndpointChange {
  const { endpointId, change, config } = JSON.parse(dataJson) as {
    endpointId: string;
    change: EndpointChange['kind'];
    config: EndpointConfig;
  };
  return { workspace, endpointId, kind: change, config, position, at: createdAt };
}
