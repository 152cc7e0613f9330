import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { KafkaConfig, SASLOptions } from 'kafkajs';

export type Connection = Pick<KafkaConfig, 'ssl' | 'sasl'> & { readonly brokers: string[] };

const FORM = 'BUS_URL is not of the form kafka://host:port,host:port';
const BROKER = /^[^:[\]\s]+(?::(\d{1,5}))?$/;
/** kafkajs 2.2.4 takes what stands before the first colon for the host. */
const NO_ADDRESS = 'BUS_URL has an IPv6 address, which the client of Kafka cannot read: give the broker a name';
const NOBODY = 'KAFKA_PASSWORD is set and nobody it belongs to; name the user in KAFKA_USERNAME';
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

/**
 * Reads `kafka://[user:password@]host:port,host:port[?tls=true&mechanism=scram-sha-256]`. What should not stand in a URL
 * may stand in the environment: KAFKA_USERNAME, KAFKA_PASSWORD, and KAFKA_CA_FILE (PEM; turns TLS on).
 * Throws one sentence, without the password, when it cannot be read.
 */
export function connectionOf(url: string, env: Readonly<Record<string, string | undefined>> = process.env): Connection {
  const parts = /^kafka:\/\/(?:([^:@/]*):([^@/]*)@)?([^/?@]+)\/?(?:\?(.*))?$/.exec(url);
  if (!parts) throw new Error(FORM);
  const [, user, password, hosts, query] = parts;
  const brokers = hosts!.split(',').map(brokerOf);
  const options = optionsOf(query ?? '');
  // A variable that is set to nothing is not set, as everywhere.
  const ca = env['KAFKA_CA_FILE'] || undefined;
  const mechanism = mechanismOf(options.get('mechanism') ?? 'plain');
  const tls = options.get('tls') === 'true' || ca !== undefined;
  const username = user === undefined ? env['KAFKA_USERNAME'] || undefined : plain(user);
  const secret = password === undefined ? env['KAFKA_PASSWORD'] || undefined : plain(password);
  if (username === undefined && secret !== undefined) throw new Error(NOBODY);
  return {
    brokers,
    ...(tls && { ssl: ca === undefined ? true : { ca: [authority(ca)] } }),
    ...(username !== undefined && { sasl: { mechanism, username, password: secret ?? '' } as SASLOptions }),
  };
}

function brokerOf(host: string): string {
  if (host.startsWith('[')) throw new Error(NO_ADDRESS);
  const found = BROKER.exec(host);
  if (!found || Number(found[1] ?? 0) > 65_535) throw new Error(FORM);
  return found[1] === undefined ? `${host}:9092` : host;
}

/** An option that is misspelt must not send a password without TLS. */
function optionsOf(query: string): URLSearchParams {
  const options = new URLSearchParams(query);
  for (const [name, value] of options) {
    if (name !== 'tls' && name !== 'mechanism')
      throw new Error(`BUS_URL has the option ${name}; there are tls and mechanism`);
    if (name === 'tls' && value !== 'true' && value !== 'false')
      throw new Error(`BUS_URL has tls=${value}; there are true and false`);
  }
  return options;
}

function plain(escaped: string): string {
  try {
    return decodeURIComponent(escaped);
  } catch (cause) {
    throw new Error('BUS_URL has a % in its user or password that is not written as %25', { cause });
  }
}

function authority(file: string): string {
  const text = textOf(file);
  try {
    // Node goes on with any text, and trusts nobody when there is no certificate in it.
    void new X509Certificate(text);
    return text;
  } catch (cause) {
    throw new Error(`KAFKA_CA_FILE ${file} holds no certificate in PEM`, { cause });
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Error(`KAFKA_CA_FILE ${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}

function mechanismOf(asked: string): (typeof MECHANISMS)[number] {
  const mechanism = MECHANISMS.find((known) => known === asked.toLowerCase());
  if (!mechanism) throw new Error(`BUS_URL asks for the mechanism ${asked}; there are ${MECHANISMS.join(', ')}`);
  return mechanism;
}
