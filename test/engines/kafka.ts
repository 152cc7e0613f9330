import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from '#postgres';

const VERSION = '4.1.0';
const CACHE = resolve(__dirname, '../../.cache/kafka');
const JARS = join(CACHE, `jars-${VERSION}`);

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>postledger</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency></dependencies>
</project>
`;

/** Fetches Apache Kafka from Maven Central, once; the jars stay in `.cache/kafka`. Installs Java and Maven when missing and root. */
export function installKafka(): void {
  if (existsSync(JARS)) return;
  for (const [command, debian] of [
    ['java', 'default-jre-headless'],
    ['mvn', 'maven'],
  ] as const) {
    if (runs(command)) continue;
    if (process.getuid?.() !== 0) throw new Error(`Kafka for the tests needs ${command}: install ${debian}.`);
    execFileSync('apt-get', ['install', '-y', '-q', debian], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'download-'));
  writeFileSync(join(folder, 'pom.xml'), POM);
  execFileSync('mvn', ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${join(folder, 'jars')}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 300_000,
  });
  renameSync(join(folder, 'jars'), JARS);
  rmSync(folder, { recursive: true, force: true });
}

const runs = (command: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** One real Kafka node, broker and controller in one (KRaft), on loopback; its data outlives stop and kill, until `remove`. */
export class KafkaNode {
  static readonly version = VERSION;
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  /** Installs what is missing, formats a new folder and starts. */
  static async start(): Promise<KafkaNode> {
    installKafka();
    const folder = mkdtempSync(join(tmpdir(), 'postledger-kafka-'));
    const [port, controller] = [await freePort(), await freePort()];
    writeFileSync(join(folder, 'server.properties'), properties(folder, port, controller));
    const node = new KafkaNode(port, folder);
    const cluster = randomBytes(16).toString('base64url');
    execFileSync(
      'java',
      [...node.java('kafka.tools.StorageTool'), 'format', '-t', cluster, '-c', join(folder, 'server.properties')],
      { stdio: 'pipe' },
    );
    await node.restart();
    return node;
  }

  get url(): string {
    return `kafka://127.0.0.1:${this.port}`;
  }

  /** Starts it (again) on the data it has; resolves when it answers. */
  async restart(): Promise<void> {
    const log = openSync(join(this.folder, 'server.log'), 'a');
    const child = spawn('java', [...this.java('kafka.Kafka'), join(this.folder, 'server.properties')], {
      stdio: ['ignore', log, log],
      cwd: this.folder,
    });
    closeSync(log);
    this.child = child;
    for (const deadline = Date.now() + 60_000; !(await answers(this.port));) {
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

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
    appendFileSync(join(this.folder, 'server.log'), `ended by ${signal}\n`);
  }

  private java(main: string): string[] {
    return ['-Xmx512m', '-Xms128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(JARS, '*'), main];
  }

  private lastWords(): string {
    return readFileSync(join(this.folder, 'server.log'), 'utf8').split('\n').slice(-15).join('\n');
  }
}

const properties = (folder: string, port: number, controller: number): string =>
  Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 3,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

const answers = (port: number): Promise<boolean> =>
  new Promise((told) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), told(true)));
    socket.once('error', () => told(false));
  });
