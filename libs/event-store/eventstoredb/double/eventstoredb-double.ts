import { connect, createServer, type Server as TcpServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type {
  Metadata,
  sendUnaryData,
  Server,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import type {
  AppendReq,
  AppendResp,
  BatchAppendReq,
  BatchAppendResp,
} from '@eventstore/db-client/generated/streams_pb';
import type { ClusterInfo } from '@eventstore/db-client/generated/gossip_pb';
import { SupportedMethod, SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb';
import { answerRead, NoSuchPositionError, startOf } from './reads';
import { StoredLog, type Expected, type Outcome, type Proposed } from './stored-log';
import { AllSubscription } from './subscriptions';
import {
  appendAnswer,
  batchAnswer,
  batchTooLarge,
  clusterOf,
  expectedOf,
  GossipService,
  grpc,
  nameOf,
  proposedOf,
  ServerFeaturesService,
  StreamsService,
  type ReadReq,
  type ReadResp,
} from './wire';

const VERSION = '24.10.0';

/** What an append may hold in all, in bytes: what a node is set to by default. */
const MAX_APPEND_BYTES = 1024 * 1024;

/** A node that asks who comes, over TLS; PEM. */
export interface Secured {
  readonly key: string;
  readonly cert: string;
  readonly user: string;
  readonly password: string;
}

/** What a test does to the node and to the wire between it and its clients. */
export interface Faults {
  /** Every answer waits so many milliseconds. */
  slowMs: number;
  /** A read waits so many milliseconds after each of its events. */
  paceMs: number;
  /** So many appends are written and never answered: the connection is cut instead. */
  lostAnswers: number;
  /** So many appends are neither written nor answered. */
  unanswered: number;
  /** So many reads stop after their first event, and do not end. */
  stuckReads: number;
  /** Live subscriptions say nothing, and do not end. */
  silent: boolean;
  /** Subscriptions send every event twice. */
  duplicates: boolean;
  /** This node is a follower; the leader is there. */
  leader: { host: string; port: number } | undefined;
}

/**
 * A node of EventStoreDB that lives in this process: the protocol of the client's own stubs over a log in memory, behind
 * a proxy that can cut the wire. See README.md for what it does not prove.
 */
export class EventStoreDbDouble {
  readonly faults: Faults = {
    slowMs: 0,
    paceMs: 0,
    lostAnswers: 0,
    unanswered: 0,
    stuckReads: 0,
    silent: false,
    duplicates: false,
    leader: undefined,
  };
  private readonly subscriptions = new Set<AllSubscription>();
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private proxy: TcpServer | undefined;
  private inner = 0;
  port = 0;

  /** `log` can be shared: the nodes of a cluster hold the same one. */
  constructor(
    readonly log = new StoredLog(),
    private readonly secured?: Secured,
  ) {
    this.server = new grpc.Server({ 'grpc.max_receive_message_length': 32 * 1024 * 1024 });
    this.server.addService(StreamsService, {
      read: (call: ServerWritableStream<ReadReq, ReadResp>) => void this.read(call),
      append: (call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>) =>
        this.append(call, answer),
      batchAppend: (call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>) => this.batchAppend(call),
      delete: unimplemented,
      tombstone: unimplemented,
    });
    this.server.addService(ServerFeaturesService, { getSupportedMethods });
    this.server.addService(GossipService, {
      read: (_: unknown, answer: sendUnaryData<ClusterInfo>) => answer(null, clusterOf(this.port)),
    });
  }

  static async start(log?: StoredLog, secured?: Secured): Promise<EventStoreDbDouble> {
    const double = new EventStoreDbDouble(log, secured);
    const pem = secured && [{ private_key: Buffer.from(secured.key), cert_chain: Buffer.from(secured.cert) }];
    const credentials = pem ? grpc.ServerCredentials.createSsl(null, pem) : grpc.ServerCredentials.createInsecure();
    double.inner = await new Promise<number>((resolve, reject) => {
      double.server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
    await double.connectWire();
    return double;
  }

  get url(): string {
    return `esdb://127.0.0.1:${this.port}?tls=false`;
  }

  /** As the address of a cluster, whose nodes are asked for their leader first. */
  get clusterUrl(): string {
    return `esdb+discover://127.0.0.1:${this.port}?tls=false`;
  }

  /** Cuts every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Every connection stays and carries nothing any more, as when a router has forgotten it; new ones are as ever. */
  deafen(): void {
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  /** Cuts every connection and refuses new ones until `connectWire`. */
  async cutWire(): Promise<void> {
    const { proxy } = this;
    this.proxy = undefined;
    const closed = new Promise<void>((done) => (proxy ? proxy.close(() => done()) : done()));
    this.cut();
    await closed;
  }

  async connectWire(): Promise<void> {
    const proxy = createServer((outside) => {
      const inside = connect(this.inner, '127.0.0.1');
      for (const [one, other] of [
        [outside, inside],
        [inside, outside],
      ] as const) {
        this.sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
        one.setNoDelay(true);
        one.pipe(other);
      }
    });
    await new Promise<void>((listening) => proxy.listen(this.port, '127.0.0.1', listening));
    this.proxy = proxy;
    this.port = (proxy.address() as { port: number }).port;
  }

  /** Ends every subscription without an error. */
  endSubscriptions(): void {
    for (const subscription of this.subscriptions) subscription.end();
    this.subscriptions.clear();
  }

  /** Subscriptions speak again. */
  speak(): void {
    this.faults.silent = false;
    for (const subscription of this.subscriptions) subscription.resume();
  }

  /** Connections that stand. */
  get connections(): number {
    return this.sockets.size / 2;
  }

  get subscribers(): number {
    return this.subscriptions.size;
  }

  async stop(): Promise<void> {
    for (const subscription of this.subscriptions) subscription.stop();
    await this.cutWire();
    this.server.forceShutdown();
  }

  private async read(call: ServerWritableStream<ReadReq, ReadResp>): Promise<void> {
    await this.slow();
    const options = call.request.getOptions()!;
    try {
      if (this.refuses(call.metadata, (error) => call.emit('error', error))) return;
      if (!options.hasSubscription())
        return await answerRead(call, this.log, this.faults.stuckReads-- > 0, this.faults.paceMs);
      if (!options.hasAll()) return void unimplementedStream(call);
      const all = options.getAll()!;
      // A subscription begins behind its position, a read at it.
      const subscription = new AllSubscription(
        call,
        this.log,
        startOf(this.log, options) + (all.hasPosition() ? 1 : 0),
        this.faults,
      );
      this.subscriptions.add(subscription);
      call.on('close', () => this.forget(subscription)).on('cancelled', () => this.forget(subscription));
    } catch (error) {
      if (!(error instanceof NoSuchPositionError)) throw error;
      call.emit('error', Object.assign(error, { code: grpc.status.INVALID_ARGUMENT, details: error.message }));
    }
  }

  private forget(subscription: AllSubscription): void {
    subscription.stop();
    this.subscriptions.delete(subscription);
  }

  private append(call: ServerReadableStream<AppendReq, AppendResp>, answer: sendUnaryData<AppendResp>): void {
    let [stream, expected]: [string, Expected] = ['', 'any'];
    const events: Proposed[] = [];
    call.on('data', (message: AppendReq) => {
      if (message.hasProposedMessage()) return void events.push(proposedOf(message.getProposedMessage()!));
      const options = message.getOptions()!;
      [stream, expected] = [nameOf(options.getStreamIdentifier()), expectedOf(options)];
    });
    call.on('end', () => {
      if (this.refuses(call.metadata, (error) => answer(error as Error), true)) return;
      if (bytesOf(events) > MAX_APPEND_BYTES) return answer(tooLarge());
      void this.write(stream, events, expected, (outcome) => answer(null, appendAnswer(expected, outcome)));
    });
  }

  private batchAppend(call: ServerDuplexStream<BatchAppendReq, BatchAppendResp>): void {
    const open = new Map<string, { stream: string; expected: Expected; events: Proposed[] }>();
    call.on('data', (message: BatchAppendReq) => {
      if (this.refuses(call.metadata, (error) => call.emit('error', error), true)) return;
      const correlation = message.getCorrelationId()!;
      const key = correlation.getString();
      if (message.hasOptions()) {
        const options = message.getOptions()!;
        open.set(key, { stream: nameOf(options.getStreamIdentifier()), expected: expectedOf(options), events: [] });
      }
      const batch = open.get(key)!;
      batch.events.push(...message.getProposedMessagesList().map(proposedOf));
      if (!message.getIsFinal()) return;
      open.delete(key);
      if (bytesOf(batch.events) > MAX_APPEND_BYTES)
        return void call.write(batchTooLarge(correlation, batch.stream, MAX_APPEND_BYTES));
      void this.write(batch.stream, batch.events, batch.expected, (outcome) => {
        if (!call.destroyed && !call.cancelled)
          call.write(batchAnswer(correlation, batch.stream, batch.expected, outcome));
      });
    });
    call.on('end', () => call.end());
  }

  private async write(
    stream: string,
    events: readonly Proposed[],
    expected: Expected,
    answer: (outcome: Outcome) => void,
  ): Promise<void> {
    if (this.faults.unanswered > 0) {
      this.faults.unanswered--;
      return;
    }
    const outcome = this.log.append(stream, events, expected);
    await this.slow();
    if (this.faults.lostAnswers > 0) {
      this.faults.lostAnswers--;
      this.cut();
      return;
    }
    answer(outcome);
  }

  private async slow(): Promise<void> {
    if (this.faults.slowMs > 0) await pause(this.faults.slowMs);
  }

  /** Whoever has no right to come, and whoever must turn to the leader. */
  private refuses(metadata: Metadata, refuse: (error: object) => void, isWrite = false): boolean {
    return this.refusesStranger(metadata, refuse) || this.refusesFollower(metadata, refuse, isWrite);
  }

  private refusesStranger(metadata: Metadata, refuse: (error: object) => void): boolean {
    if (!this.secured) return false;
    const { user, password } = this.secured;
    const known = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    const [told] = metadata.get('authorization');
    if (told === known) return false;
    // Who does not say who they are may not read; who says it wrongly is nobody.
    const error =
      told === undefined ? accessDenied() : { code: grpc.status.UNAUTHENTICATED, details: 'Unauthenticated' };
    refuse(Object.assign(new Error(error.details), error));
    return true;
  }

  /** Writes, and reads that ask for it, are the leader's; a follower names it in the trailers. */
  private refusesFollower(metadata: Metadata, refuse: (error: object) => void, isWrite = false): boolean {
    const { leader } = this.faults;
    if (!leader || (!isWrite && metadata.get('requires-leader')[0] !== 'true')) return false;
    const trailers = new grpc.Metadata();
    trailers.set('exception', 'not-leader');
    trailers.set('leader-endpoint-host', leader.host);
    trailers.set('leader-endpoint-port', String(leader.port));
    refuse(
      Object.assign(new Error('Leader info available'), {
        code: grpc.status.NOT_FOUND,
        details: 'Leader info available',
        metadata: trailers,
      }),
    );
    return true;
  }
}

const bytesOf = (events: readonly Proposed[]): number =>
  events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0);

/** An error as a node tells it: its name and numbers in the trailers. */
function exception(code: number, details: string, trailers: Record<string, string>) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(trailers)) metadata.set(name, value);
  return { code, details, metadata };
}

const accessDenied = () => exception(grpc.status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });

const tooLarge = () =>
  exception(grpc.status.INVALID_ARGUMENT, 'Maximum Append Size Exceeded', {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(MAX_APPEND_BYTES),
  });

const unimplemented = (_: unknown, answer: sendUnaryData<never>) =>
  answer({ code: grpc.status.UNIMPLEMENTED, details: 'The double cannot do this' });

const unimplementedStream = (call: ServerWritableStream<ReadReq, ReadResp>) =>
  call.emit(
    'error',
    Object.assign(new Error('The double cannot do this'), {
      code: grpc.status.UNIMPLEMENTED,
      details: 'The double cannot do this',
    }),
  );

function getSupportedMethods(
  _: ServerUnaryCall<unknown, SupportedMethods>,
  answer: sendUnaryData<SupportedMethods>,
): void {
  const methods = new SupportedMethods();
  methods.setEventStoreServerVersion(VERSION);
  for (const name of ['read', 'append', 'batchappend']) {
    const method = new SupportedMethod();
    method.setServiceName('event_store.client.streams.streams');
    method.setMethodName(name);
    methods.addMethods(method);
  }
  answer(null, methods);
}
