import type { Admin, Kafka } from 'kafkajs';
import type { ReceivedMessage, SubscribeOptions, Subscription } from '../port/bus';
import { isMissingTopic } from './kafka-faults';
import { KafkaMember, type ConsumerPace } from './kafka-member';
import { atMost } from './patience';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

interface Parts {
  readonly kafka: Kafka;
  readonly admin: () => Promise<Admin>;
  readonly park: (message: ReceivedMessage, reason: string) => Promise<void>;
  readonly makeAnew: (topics: readonly string[]) => Promise<void>;
  readonly onClosed: () => void;
}

/** A member of the group that we keep alive: whatever ends it, another one takes its place until close. */
export class KafkaSubscription implements Subscription {
  private member: KafkaMember | undefined;
  /** The member and those before it that have not left yet. */
  private readonly members = new Set<KafkaMember>();
  private readonly timer: NodeJS.Timeout;
  private restart: NodeJS.Timeout | undefined;
  private failures = 0;
  private closing = false;
  private closed: Promise<void> | undefined;

  constructor(
    private readonly parts: Parts,
    private readonly options: SubscribeOptions,
    private readonly pace: ConsumerPace,
  ) {
    this.timer = setInterval(() => this.member?.beat(), pace.sessionTimeoutMs / 4).unref();
  }

  /** Joins the group. Rejects when the brokers cannot be reached; later faults are our own to mend. */
  async start(): Promise<void> {
    try {
      if (this.options.from === 'latest') await this.beginAtEnd();
      if (!this.closing) await this.join();
    } catch (error) {
      clearInterval(this.timer);
      throw error;
    }
  }

  async lag(): Promise<number> {
    return unread(await this.parts.admin(), this.options);
  }

  /** Not for ever when the brokers are away: after a session they notice by themselves who is gone. */
  close(): Promise<void> {
    return (this.closed ??= this.end());
  }

  private async end(): Promise<void> {
    this.closing = true;
    clearInterval(this.timer);
    clearTimeout(this.restart);
    const left = Promise.all([...this.members].map((member) => member.leave()));
    await Promise.all([...this.members].map((member) => member.idle()));
    await atMost(this.pace.sessionTimeoutMs, left);
    this.parts.onClosed();
  }

  /** Rejects, with nothing left behind, when the brokers cannot be reached. */
  private async join(): Promise<void> {
    const member: KafkaMember = new KafkaMember(
      {
        kafka: this.parts.kafka,
        park: this.parts.park,
        onJoined: () => (this.failures = 0),
        onLost: (reason) => this.replace(member, reason),
      },
      this.options,
      this.pace,
    );
    this.member = member;
    this.members.add(member);
    try {
      await member.join();
    } catch (error) {
      // Lost while it joined: another one has its place already.
      if (this.member !== member) return;
      this.member = undefined;
      await this.release(member);
      throw error;
    }
  }

  private replace(lost: KafkaMember, reason: Error): void {
    if (this.member !== lost) return;
    this.member = undefined;
    void this.release(lost);
    this.joinAgain(reason);
  }

  private async release(member: KafkaMember): Promise<void> {
    await member.leave();
    this.members.delete(member);
  }

  private joinAgain(reason: Error): void {
    this.options.onFault?.(reason);
    if (this.closing) return;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.failures++, LONGEST_PAUSE_MS);
    this.restart = setTimeout(() => {
      this.comeBack(reason).catch((error: Error) => this.joinAgain(error));
    }, pause);
  }

  /** Nobody can join for a topic that is gone, and for those that are there beside it neither. */
  private async comeBack(reason: Error): Promise<void> {
    if (isMissingTopic(reason)) await this.parts.makeAnew(this.options.topics);
    if (!this.closing) await this.join();
  }

  /** A new group that wants only news begins at this moment, also when it comes to read later. Others' groups are left alone. */
  private async beginAtEnd(): Promise<void> {
    const admin = await this.parts.admin();
    const { group: groupId, topics } = this.options;
    const known = await admin.fetchOffsets({ groupId, topics: [...topics] });
    for (const { topic, partitions } of known) {
      if (partitions.some(({ offset }) => Number(offset) >= 0)) continue;
      const ends = await admin.fetchTopicOffsets(topic);
      await admin.setOffsets({
        groupId,
        topic,
        partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
      });
    }
  }
}

/** Messages of some topics that a group has not committed. */
export async function unread(
  admin: Admin,
  { group, topics }: { readonly group: string; readonly topics: readonly string[] },
): Promise<number> {
  const committed = await admin.fetchOffsets({ groupId: group, topics: [...topics] });
  let lag = 0;
  for (const { topic, partitions } of committed) {
    const ends = new Map((await admin.fetchTopicOffsets(topic)).map((end) => [end.partition, end]));
    for (const { partition, offset } of partitions) {
      const end = ends.get(partition);
      if (end) lag += Number(end.high) - Math.max(Number(offset), Number(end.low));
    }
  }
  return lag;
}
