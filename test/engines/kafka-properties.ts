import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Who may come in at the secured listeners, by PLAIN and by SCRAM alike. */
export interface KafkaUser {
  readonly name: string;
  readonly password: string;
}

export interface NodePlan {
  readonly id: number;
  readonly folder: string;
  readonly port: number;
  /** Where the controller is; this node is one when `isController`. */
  readonly controllerPort: number;
  readonly isController: boolean;
  readonly secured?: SecuredPlan;
}

export interface SecuredPlan {
  readonly user: KafkaUser;
  /** Ports of the listeners that ask for a password, for TLS, and for both. */
  readonly ports: Record<'sasl' | 'tls' | 'both', number>;
}

/** `server.properties` of one node: small, on loopback, quick to notice what changes. */
export function serverProperties(plan: NodePlan): string {
  const { id, folder, port, controllerPort, isController, secured } = plan;
  const listeners = [`PLAINTEXT://127.0.0.1:${port}`, ...(secured ? securedListeners(secured) : [])];
  const properties = {
    'process.roles': isController ? 'broker,controller' : 'broker',
    'node.id': id,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: [...listeners, ...(isController ? [`CONTROLLER://127.0.0.1:${controllerPort}`] : [])].join(','),
    'advertised.listeners': listeners.join(','),
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL',
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
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    'leader.imbalance.check.interval.seconds': 1,
    'leader.imbalance.per.broker.percentage': 0,
    ...(secured && securedProperties(folder, secured.user)),
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

const securedListeners = ({ ports }: SecuredPlan): string[] => [
  `SASL_PLAINTEXT://127.0.0.1:${ports.sasl}`,
  `SSL://127.0.0.1:${ports.tls}`,
  `SASL_SSL://127.0.0.1:${ports.both}`,
];

function securedProperties(folder: string, { name, password }: KafkaUser): Record<string, string> {
  const modules = 'org.apache.kafka.common.security';
  const jaas = ['sasl_plaintext', 'sasl_ssl'].flatMap((listener) => [
    [
      `listener.name.${listener}.plain.sasl.jaas.config`,
      `${modules}.plain.PlainLoginModule required user_${name}="${password}";`,
    ],
    ...SCRAM.map((mechanism) => [
      `listener.name.${listener}.${mechanism.toLowerCase()}.sasl.jaas.config`,
      `${modules}.scram.ScramLoginModule required;`,
    ]),
  ]);
  return {
    'sasl.enabled.mechanisms': ['PLAIN', ...SCRAM].join(','),
    ...(Object.fromEntries(jaas) as Record<string, string>),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keyStore(folder),
  };
}

const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];

/** What the storage tool must know to make the user. */
export const scramArguments = ({ name, password }: KafkaUser): string[] =>
  SCRAM.flatMap((mechanism) => ['--add-scram', `${mechanism}=[name=${name},password=${password}]`]);

/** Where the certificate is that a client of the node must trust. */
export const certificateOf = (folder: string): string => join(folder, 'certificate.pem');

/** A key and a certificate for this address, signed by itself, in one file as Kafka wants them. */
function keyStore(folder: string): string {
  const [key, certificate, store] = [join(folder, 'key.pem'), certificateOf(folder), join(folder, 'keystore.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=kafka of the tests'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate],
    ],
    { stdio: 'pipe' },
  );
  writeFileSync(store, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'), { mode: 0o600 });
  return store;
}
