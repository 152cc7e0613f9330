import { OneAtATime } from '#kernel';
import type { Sql } from '#postgres';
import type { Contract } from '#webhook-contracts';
import { Endpoint, type EndpointRow } from './endpoint';

/** The endpoints of one workspace that share a contract: what is rendered for one is rendered for all. */
export interface ContractGroup {
  readonly contract: Contract;
  readonly endpoints: Endpoint[];
}

const COLUMNS = 'no, workspace, id, config, enabled, phase, position, cursor, eras, version, failing_since';
const NONE: readonly ContractGroup[] = [];

/** An endpoint as the database has it, by its public id; undefined when delivery has not heard of it. */
export const endpointRow = (sql: Sql, workspace: string, id: string): Promise<EndpointRow | undefined> =>
  sql
    .query<EndpointRow>(`select ${COLUMNS} from delivery.endpoint where workspace = $1 and id = $2`, [workspace, id])
    .then(([row]) => row);

/** The same by its number, which deliveries carry; with its row locked if the caller is to change it. */
export const endpointByNumber = (
  sql: Sql,
  no: number,
  lock: '' | 'for no key update' = '',
): Promise<EndpointRow | undefined> =>
  sql.query<EndpointRow>(`select ${COLUMNS} from delivery.endpoint where no = $1 ${lock}`, [no]).then(([row]) => row);

/** Those of the numbers that catch up at present. */
export const catchingUp = (
  sql: Sql,
  nos: readonly number[],
  lock: '' | 'for no key update' = '',
): Promise<readonly EndpointRow[]> =>
  sql.query<EndpointRow>(
    `select ${COLUMNS} from delivery.endpoint where no = any($1) and phase = 'catching_up' order by no ${lock}`,
    [nos],
  );

/** The endpoints in memory, as of a version that every intake transaction compares. */
export class EndpointDirectory {
  version = 0;
  private readonly byNumber = new Map<number, Endpoint>();
  /** The live ones of each workspace, by number: a change costs as much as its workspace has, however many there are in all. */
  private readonly live = new Map<string, Map<number, Endpoint>>();
  private readonly groups = new Map<string, ContractGroup[]>();
  /** Rows that this build has no words for, and why. */
  private readonly broken = new Map<number, { readonly row: EndpointRow; readonly error: Error }>();
  private readonly listeners = new Set<(endpoint: Endpoint) => void>();
  private readonly reads = new OneAtATime(() => this.read());

  constructor(
    private readonly db: Sql,
    private readonly decrypt: (box: string) => string,
    private readonly onBroken: (row: EndpointRow, error: Error) => void,
  ) {}

  get(no: number): Endpoint | undefined {
    return this.byNumber.get(no);
  }

  /**
   * Live endpoints of a workspace, by contract. Throws while one of them cannot be used here: what is taken in without it, it would
   * never get, and a process of the build that it was made with can take it in.
   */
  of(workspace: string): readonly ContractGroup[] {
    for (const { row, error } of this.broken.values())
      if (row.workspace === workspace && row.phase === 'live') throw error;
    return this.groups.get(workspace) ?? NONE;
  }

  /** Calls `hear` with each endpoint whose row has changed. */
  onChange(hear: (endpoint: Endpoint) => void): () => void {
    this.listeners.add(hear);
    return () => void this.listeners.delete(hear);
  }

  /** Reads what has changed since the version in memory. */
  refresh(): Promise<void> {
    return this.reads.run();
  }

  private async read(): Promise<void> {
    const [present] = await this.db.query<{ version: number }>('select version from delivery.endpoint_version');
    if (present!.version === this.version) return;
    const rows = await this.db.query<EndpointRow>(
      `select ${COLUMNS} from delivery.endpoint where version > $1 order by version`,
      [this.version],
    );
    const workspaces = new Set<string>();
    for (const row of rows) {
      try {
        const endpoint = new Endpoint(row, this.decrypt);
        this.byNumber.set(row.no, endpoint);
        this.place(endpoint);
        this.broken.delete(row.no);
        workspaces.add(row.workspace);
        this.listeners.forEach((hear) => hear(endpoint));
      } catch (error) {
        this.broken.set(row.no, { row, error: error as Error });
        this.onBroken(row, error as Error);
      }
    }
    workspaces.forEach((workspace) => this.group(workspace));
    this.version = present!.version;
  }

  private place(endpoint: Endpoint): void {
    const { row } = endpoint;
    const others = this.live.get(row.workspace) ?? new Map<number, Endpoint>();
    if (row.phase === 'live') this.live.set(row.workspace, others.set(row.no, endpoint));
    else if (others.delete(row.no) && others.size === 0) this.live.delete(row.workspace);
  }

  private group(workspace: string): void {
    const groups = new Map<Contract, ContractGroup>();
    for (const endpoint of this.live.get(workspace)?.values() ?? []) {
      const group = groups.get(endpoint.contract) ?? { contract: endpoint.contract, endpoints: [] };
      group.endpoints.push(endpoint);
      groups.set(endpoint.contract, group);
    }
    if (groups.size > 0) this.groups.set(workspace, [...groups.values()]);
    else this.groups.delete(workspace);
  }
}
