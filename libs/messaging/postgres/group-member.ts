import { randomUUID } from 'node:crypto';
import type { Database } from '#postgres';
import { PARTITIONS } from '../outbox/outbox';

/** One partition while this member owns it. A lost one is never used again: owning the partition anew makes a new claim. */
export interface Claim {
  readonly partition: number;
  /** Grows with each owner: commits of an older one change nothing. */
  readonly epoch: number;
  /** Fetched up to here. */
  cursor: number;
  /** Handled up to here. */
  done: number;
  /** Known to be committed. */
  committed: number;
  lost: boolean;
}

interface OwnedRow {
  readonly partition: number | null;
  readonly position: number;
  readonly epoch: number;
}
interface HeartbeatRow extends OwnedRow {
  readonly head: number;
  readonly incarnation: string;
  readonly members: number;
  readonly rank: number;
  readonly free: number;
}

const HEARTBEAT = 'select * from bus.heartbeat($1, $2, make_interval(secs => $3))';
const CLAIM = 'select * from bus.claim($1, $2, $3)';
const COMMIT = 'select partition from bus.commit_offsets($1, $2, $3, $4, $5, $6, $7)';
const JOIN = `insert into bus.group_offset (group_name, partition, position)
  select $1, n, case when $2 then h.position else h.dropped end from generate_series(0, ${PARTITIONS - 1}) n, bus.head h
  on conflict do nothing`;
const LEAVE = `with gone as (delete from bus.group_member where group_name = $1 and member = $2)
  select pg_notify('bus_rebalance', $1)`;
const FORGET = `delete from bus.group_offset o where o.group_name = $1
  and not exists (select from bus.group_member m where m.group_name = o.group_name)`;

/** A member of a consumer group: its lease, the partitions it owns and their offsets. Knows nothing of messages. */
export class GroupMember {
  readonly id = randomUUID();
  readonly claims = new Map<number, Claim>();
  /** The last head of the bus that a heartbeat saw. */
  head = 0;
  incarnation = '';
  private share = 0;
  private free = 0;
  private renewedAt = 0;
  private last: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: Database,
    private readonly group: string,
    private readonly leaseMs: number,
    /** Something was taken away: what is in hand should stop. */
    private readonly onLoss: () => void,
  ) {}

  /** Makes the group when it is new and becomes a member of it. */
  async join(from: 'earliest' | 'latest'): Promise<void> {
    await this.db.query(JOIN, [this.group, from === 'latest']);
    await this.heartbeat();
    await this.db.notify('bus_rebalance', this.group);
  }

  /** Renews the lease, and learns what is still owned and what the fair share is. */
  heartbeat(): Promise<void> {
    return this.inOrder(() => this.renew());
  }

  private async renew(): Promise<void> {
    const asked = performance.now();
    const rows = await this.db.query<HeartbeatRow>(HEARTBEAT, [this.group, this.id, this.leaseMs / 1_000]);
    const first = rows[0]!;
    this.renewedAt = asked;
    this.head = first.head;
    // None lives when this lease has ended on its way to us.
    const members = Math.max(1, first.members);
    this.share = Math.floor(PARTITIONS / members) + (first.rank < PARTITIONS % members ? 1 : 0);
    this.free = first.free;
    this.follow(first.incarnation);
    const owned = new Map(rows.flatMap((row) => (row.partition === null ? [] : [[row.partition, row.epoch] as const])));
    for (const claim of [...this.claims.values()]) if (owned.get(claim.partition) !== claim.epoch) this.lose(claim);
    for (const row of rows) if (row.partition !== null && !this.claims.has(row.partition)) this.own(row);
  }

  /** A lease that may have ended is as good as ended: another may own the partitions. */
  checkLease(): void {
    if (performance.now() - this.renewedAt > this.leaseMs) this.loseAll();
  }

  /** After a crash of the server, positions may have been given again: what is in memory is worth nothing. */
  follow(incarnation: string | null): void {
    if (incarnation === this.incarnation) return;
    this.incarnation = incarnation ?? '';
    this.loseAll();
  }

  isUnbalanced(): boolean {
    return this.claims.size > this.share || (this.claims.size < this.share && this.free > 0);
  }

  /** Gives up what exceeds the share, or takes what is free. Call it between batches: a partition is given up with its work done. */
  async rebalance(): Promise<void> {
    this.checkLease();
    const excess = [...this.claims.values()].slice(this.share);
    if (excess.length > 0) return this.giveUp(excess);
    await this.inOrder(async () => {
      const rows = await this.db.query<OwnedRow>(CLAIM, [this.group, this.id, this.share]);
      this.free = 0;
      for (const row of rows) this.own(row);
    });
  }

  /** Commits what is done, after the commit that is under way; what piles up meanwhile goes as one. */
  commit(claims: readonly Claim[]): Promise<void> {
    return this.inOrder(() =>
      this.write(
        claims.filter((claim) => !claim.lost && claim.done > claim.committed),
        false,
      ),
    );
  }

  /** Gives all up, behind the commits that are under way. */
  async leave(): Promise<void> {
    await this.giveUp([...this.claims.values()]);
    await this.db.query(LEAVE, [this.group, this.id]);
  }

  /** Forgets how far the group has read, if nobody is a member of it any more. */
  async forget(): Promise<void> {
    await this.db.query(FORGET, [this.group]);
  }

  loseAll(): void {
    for (const claim of [...this.claims.values()]) this.lose(claim);
  }

  private async giveUp(claims: readonly Claim[]): Promise<void> {
    for (const claim of claims) {
      this.claims.delete(claim.partition);
      claim.lost = true;
    }
    await this.inOrder(() => this.write(claims, true));
  }

  /** One statement at a time: a heartbeat's answer that crossed a claim or a release would tell of a past. */
  private inOrder(work: () => Promise<void>): Promise<void> {
    const next = this.last.then(work);
    this.last = next.catch(() => undefined);
    return next;
  }

  private async write(claims: readonly Claim[], release: boolean): Promise<void> {
    if (claims.length === 0) return;
    const done = claims.map((claim) => claim.done);
    const epochs = claims.map(({ epoch }) => epoch);
    const partitions = claims.map(({ partition }) => partition);
    const rows = await this.db.query<{ partition: number }>(COMMIT, [
      this.group,
      this.id,
      this.incarnation === '' ? null : this.incarnation,
      partitions,
      epochs,
      done,
      release,
    ]);
    const kept = new Set(rows.map(({ partition }) => partition));
    claims.forEach((claim, at) => (kept.has(claim.partition) ? (claim.committed = done[at]!) : this.lose(claim)));
  }

  private own({ partition, position, epoch }: OwnedRow): void {
    if (partition === null) return;
    this.claims.set(partition, {
      partition,
      epoch,
      cursor: position,
      done: position,
      committed: position,
      lost: false,
    });
  }

  private lose(claim: Claim): void {
    claim.lost = true;
    if (this.claims.get(claim.partition) === claim) this.claims.delete(claim.partition);
    this.onLoss();
  }
}
