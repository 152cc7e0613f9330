import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// The global set-up, which knows no '#testing', starts a node too.
import { ownPort } from '../../libs/testing/own-port';
import { CLASSES, installKafka, JARS, VERSION } from './install-kafka';
import { certificateOf, scramArguments, serverProperties, type KafkaUser, type NodePlan } from './kafka-properties';

interface KafkaOptions {
  /** Where Java leaves an archive of the classes it has loaded, when the node stops. */
  readonly archive?: string;
  /** The node whose cluster this one joins, as a broker; without it, the node is a cluster of its own. */
  readonly joins?: KafkaNode;
  /** Opens listeners for this user beside the plain one. */
  readonly user?: KafkaUser;
}

/** Never begins with a hyphen, which the storage tool would take for an option. */
const clusterId = (): string => Buffer.concat([Buffer.of(1), randomBytes(15)]).toString('base64url');

/** One real Kafka node on loopback, with its controller (KRaft) unless it joins another; its data outlives stop and kill, until `remove`. */
export class KafkaNode {
  static readonly version = VERSION;
  private child: ChildProcess | undefined;

  private constructor(
    readonly plan: NodePlan,
    private readonly cluster: string,
    private readonly archive: string | undefined,
  ) {}

  /** Installs what is missing, once: the jars, and the classes as one node has loaded them, which makes each start a third cheaper. */
  static async install(): Promise<void> {
    installKafka();
    if (existsSync(CLASSES)) return;
    const archive = `${CLASSES}.${process.pid}`;
    const node = await KafkaNode.start({ archive });
    await node.stop();
    await node.remove();
    // A Java without an archive of its own classes makes none, and starts as it did.
    if (existsSync(archive)) renameSync(archive, CLASSES);
  }

  /** Formats a new folder and starts. */
  static async start({ joins, user, archive }: KafkaOptions = {}): Promise<KafkaNode> {
    const folder = mkdtempSync(join(tmpdir(), 'postledger-kafka-'));
    const plan: NodePlan = {
      id: joins ? joins.plan.id + 1 : 1,
      folder,
      port: await ownPort(),
      controllerPort: joins?.plan.controllerPort ?? (await ownPort()),
      isController: !joins,
      ...(user && {
        secured: { user, ports: { sasl: await ownPort(), tls: await ownPort(), both: await ownPort() } },
      }),
    };
    const node = new KafkaNode(plan, joins?.cluster ?? clusterId(), archive);
    writeFileSync(node.settings, serverProperties(plan));
    execFileSync(
      'java',
      [
        ...[...node.java('kafka.tools.StorageTool'), 'format', '-t', node.cluster, '-c', node.settings],
        ...(user ? scramArguments(user) : []),
      ],
      { stdio: 'pipe' },
    );
    await node.restart();
    return node;
  }

  /** Process id while it runs. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  get port(): number {
    return this.plan.port;
  }

  /** The certificate that a client must trust at the secured listeners. */
  get certificate(): string {
    return certificateOf(this.plan.folder);
  }

  get url(): string {
    return `kafka://127.0.0.1:${this.port}`;
  }

  /** Starts it (again) on the data it has; resolves when it answers. */
  async restart(): Promise<void> {
    const log = openSync(join(this.plan.folder, 'server.log'), 'a');
    const archives = this.archive === undefined ? [] : [`-XX:ArchiveClassesAtExit=${this.archive}`];
    const child = spawn('java', [...archives, ...this.java('kafka.Kafka'), this.settings], {
      stdio: ['ignore', log, log],
      cwd: this.plan.folder,
    });
    closeSync(log);
    this.child = child;
    for (const deadline = Date.now() + 150_000; !(await answers(this.port));) {
      if (child.exitCode !== null || Date.now() > deadline)
        throw new Error(`Kafka did not start:\n${this.lastWords()}`);
      await new Promise((again) => setTimeout(again, 50));
    }
  }

  /** SIGTERM: hands over and closes its log. */
  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  /** SIGSTOP: its connections stay and nobody answers, until `thaw`. */
  freeze(): void {
    this.child!.kill('SIGSTOP');
  }

  thaw(): void {
    this.child!.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.plan.folder, { recursive: true, force: true });
  }

  private get settings(): string {
    return join(this.plan.folder, 'server.properties');
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
    appendFileSync(join(this.plan.folder, 'server.log'), `ended by ${signal}\n`);
  }

  private java(main: string): string[] {
    const classes = existsSync(CLASSES) ? [`-XX:SharedArchiveFile=${CLASSES}`] : [];
    const small = ['-Xmx512m', '-Xms128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    return [...small, ...classes, '-cp', join(JARS, '*'), main];
  }

  private lastWords(): string {
    return readFileSync(join(this.plan.folder, 'server.log'), 'utf8').split('\n').slice(-15).join('\n');
  }
}

const answers = (port: number): Promise<boolean> =>
  new Promise((told) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), told(true)));
    socket.once('error', () => told(false));
  });
