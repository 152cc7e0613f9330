import { setTimeout as pause } from 'node:timers/promises';
import { Counter, type Registry } from 'prom-client';
import { accountAggregate } from '#accounts';
import type { CommandHandler } from '#event-store';
import { DomainError, followingUuid, grouped, instant, millis, Recent, type Clock } from '#kernel';
import { PoisonMessageError, type Bus, type ReceivedMessage, type Subscription } from '#messaging';
import type { SubjectKeys } from '#personal-data';
import { watchLag, type Logger } from '#platform';
import { fromBusMessage, TOPICS, type CoreMessage } from '#public-messages';
import { postAggregate, PUBLISH_RETRY_DELAYS_MS } from '#publishing';
import { isErased, isSlow, play, SLOW_MS, type DueDestination, type NetworkAccount } from './networks';

const DUE = 'post.destination_due';
/** Posts in hand at a time; the destinations of one post take their turns, since they share a stream. */
const CONCURRENCY = 64;
const MAX_KNOWN = 50_000;

export interface PublisherParts {
  readonly bus: Bus;
  readonly commands: CommandHandler;
  /** Opens a username. */
  readonly keys: Pick<SubjectKeys, 'open'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly retryScale: number;
  /** How long a slow network takes (SLOW_MS). */
  readonly slowMs?: number;
}

interface Due extends DueDestination {
  readonly message: CoreMessage;
}

/**
 * The reference publisher: takes what is due from the bus, plays the networks, reports outcomes. Two consumer groups read the
 * topic, one for networks that answer at once and one for slow ones: so a slow network holds nobody else up, and still
 * nothing is acknowledged before its outcome is in the log.
 */
export class Publisher {
  private readonly subscriptions: Subscription[] = [];
  /** Accounts known not to be slow. */
  private readonly quick = new Recent<string, true>(MAX_KNOWN);
  private readonly outcomes: Counter<'outcome'>;
  private readonly retryDelaysMs: readonly number[];

  constructor(private readonly parts: PublisherParts) {
    this.outcomes = new Counter({
      name: 'postledger_publisher_outcomes_total',
      help: 'Attempts that the simulated networks answered',
      labelNames: ['outcome'],
      registers: [parts.metrics],
    });
    const help = 'Messages on the bus that the publisher has yet to take';
    watchLag(parts.metrics, 'postledger_publisher_bus_lag', help, () => this.lag());
    this.retryDelaysMs = PUBLISH_RETRY_DELAYS_MS.map((ms) => ms * parts.retryScale);
  }

  async start(): Promise<void> {
    await this.parts.bus.ensureTopics([TOPICS.publishing]);
    await this.subscribe('publisher', false);
    await this.subscribe('publisher-slow', true);
  }

  /** Finishes the batches in hand. A slow network that has not answered yet is asked again by whoever comes next. */
  async close(): Promise<void> {
    await Promise.all(this.subscriptions.splice(0).map((subscription) => subscription.close()));
  }

  /** Messages that wait for the networks that answer at once. */
  async lag(): Promise<number> {
    return (await this.subscriptions[0]?.lag()) ?? 0;
  }

  private async subscribe(group: string, slow: boolean): Promise<void> {
    const { bus, log } = this.parts;
    const subscription = await bus.subscribe({
      group,
      topics: [TOPICS.publishing],
      onBatch: (messages, signal) => this.publish(messages, slow, signal),
      onFault: (error) => log.warn({ err: error.message, group }, 'publishing is held up'),
      onParked: ({ id }, reason) => log.error({ id, reason, group }, 'a due destination cannot be understood'),
    });
    this.subscriptions.push(subscription);
  }

  private async publish(messages: readonly ReceivedMessage[], slow: boolean, signal: AbortSignal): Promise<void> {
    const due = messages.filter(({ type }) => type === DUE).map(read);
    const waiting = [...grouped(due, ({ message, postId }) => `${message.workspace}\n${postId}`).values()];
    // A slow network costs no work while it is slow: all that are due wait side by side.
    const width = slow ? waiting.length : Math.min(CONCURRENCY, waiting.length);
    await Promise.all(
      Array.from({ length: width }, async () => {
        for (let post = waiting.shift(); post; post = waiting.shift())
          for (const destination of post) await this.attempt(destination, slow, signal);
      }),
    );
  }

  private async attempt(due: Due, slow: boolean, signal: AbortSignal): Promise<void> {
    const { clock, slowMs = SLOW_MS } = this.parts;
    const { workspace } = due.message;
    const key = `${workspace}\n${due.accountId}`;
    // A username is for life: the slow group need not read an account again to pass it over.
    if (slow && this.quick.get(key)) return;
    const account = await this.account(workspace, due.accountId);
    // Whose network it was nobody knows once the name is erased: both groups report, which is one report.
    if (isErased(account)) return this.report(due, account);
    if (!isSlow(account)) this.remember(key);
    if (isSlow(account) !== slow) return;
    if (slow) {
      // The network's three seconds begin when the attempt became due, not when a batch had room for it.
      const answersIn = millis(instant(due.message.createdAt)) + slowMs - millis(clock());
      await pause(Math.min(Math.max(answersIn, 0), slowMs), undefined, { signal });
    }
    await this.report(due, account);
  }

  /** The account as the networks know it: by its name, which is null once it was erased. */
  private async account(workspace: string, id: string): Promise<NetworkAccount> {
    const { state } = await this.parts.commands.load(accountAggregate, workspace, id);
    if (state.status === 'absent') return state;
    const { text } = await this.parts.keys.open(workspace, JSON.stringify(state.username));
    return { status: state.status, username: JSON.parse(text) as string | null };
  }

  private remember(account: string): void {
    this.quick.set(account, true);
  }

  private async report(due: Due, account: NetworkAccount): Promise<void> {
    const { commands, clock, log } = this.parts;
    const { postId, destinationId, attempt } = due;
    const { workspace, id, correlationId, traceparent } = due.message;
    const outcome = play(account, due);
    const at = clock();
    const actor = 'publisher';
    try {
      await commands.handle(
        postAggregate,
        postId,
        { type: 'ReportOutcome', at, actor, destinationId, attempt, outcome, retryDelaysMs: this.retryDelaysMs },
        {
          workspace,
          actor,
          correlationId,
          causationId: id,
          commandId: followingUuid(id, `outcome ${destinationId} ${attempt}`),
          at,
          repeatable: true,
          ...(traceparent && { traceparent }),
        },
      );
      this.outcomes.inc({ outcome: outcome.ok ? 'published' : outcome.retryable ? 'retryable' : 'failed' });
    } catch (error) {
      // Somebody else has reported this attempt, or the post is gone: the domain's no is final, a lost engine's is not.
      if (!(error instanceof DomainError)) throw error;
      log.info({ postId, destinationId, attempt, code: error.code, correlationId }, 'outcome not taken');
    }
  }
}

function read(message: ReceivedMessage): Due {
  try {
    return { ...(JSON.parse(message.value) as DueDestination), message: fromBusMessage(message) };
  } catch (cause) {
    throw new PoisonMessageError(message, (cause as Error).message, { cause });
  }
}
