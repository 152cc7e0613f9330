import { instant } from '#kernel';
import { signsAt, type EndpointConfig } from '#webhooks';
import { contracts, type Contract } from '#webhook-contracts';
import { eraAt, takes, type Era } from './eras';

export type Phase = 'catching_up' | 'live' | 'deleted';

/** A row of delivery.endpoint. */
export interface EndpointRow {
  readonly no: number;
  readonly workspace: string;
  readonly id: string;
  readonly config: EndpointConfig;
  readonly enabled: boolean;
  readonly phase: Phase;
  readonly position: number;
  readonly cursor: number;
  readonly eras: readonly Era[];
  readonly version: number;
  readonly failing_since: string | null;
}

/** Whether it can be sent to at all, as its row has it. */
export const isOpen = ({ enabled, phase }: Pick<EndpointRow, 'enabled' | 'phase'>): boolean =>
  enabled && phase !== 'deleted';

/** Why one that is closed is. */
export const closedReason = ({
  phase,
  config,
}: Pick<EndpointRow, 'phase' | 'config'>): 'deleted' | 'gone' | 'disabled' => {
  if (phase === 'deleted') return 'deleted';
  return config.disabledReason === 'gone' ? 'gone' : 'disabled';
};

/** What becomes of an event for one endpoint. */
export type Verdict = 'skip' | 'send' | 'discard';

/** An endpoint as one version of its row has it. */
export class Endpoint {
  readonly contract: Contract;
  private readonly known = new Map<string, boolean>();
  private readonly newest: Era;
  private secrets: readonly string[] = [];
  private secretsUntil = -Infinity;

  constructor(
    readonly row: EndpointRow,
    private readonly decrypt: (box: string) => string,
  ) {
    const contract = contracts.get(row.config.contract);
    if (!contract)
      throw new Error(`Endpoint ${row.id} names the contract ${row.config.contract}, which this build does not have`);
    this.contract = contract;
    this.newest = row.eras.at(-1)!;
  }

  get no(): number {
    return this.row.no;
  }

  /** Whether it can be sent to at all now. */
  get open(): boolean {
    return isOpen(this.row);
  }

  /** What the live intake does with a message of this rendered type from the event at `position`. */
  live(position: number, type: string): Verdict {
    if (this.row.phase !== 'live' || position <= this.row.cursor) return 'skip';
    return this.at(position, type);
  }

  /** The same for the log's own catch-up. */
  at(position: number, type: string): Verdict {
    const isNewest = position > this.newest.after;
    const era = isNewest ? this.newest : eraAt(this.row.eras, position);
    if (!(isNewest ? this.takesNow(type) : takes(era, type))) return 'skip';
    return era.enabled ? 'send' : 'discard';
  }

  /** The secrets that sign now, newest first. */
  liveSecrets(nowMs: number): readonly string[] {
    if (nowMs < this.secretsUntil) return this.secrets;
    const now = instant(nowMs);
    const live = this.row.config.secrets.filter((secret) => signsAt(secret, now));
    this.secrets = live.map(({ box }) => this.decrypt(box));
    this.secretsUntil = Math.min(
      Infinity,
      ...live.flatMap(({ expiresAt }) => (expiresAt === null ? [] : [Date.parse(expiresAt)])),
    );
    return this.secrets;
  }

  private takesNow(type: string): boolean {
    let taken = this.known.get(type);
    if (taken === undefined) this.known.set(type, (taken = takes(this.newest, type)));
    return taken;
  }
}
