import { readFileSync } from 'node:fs';
import type { KafkaConfig, SASLOptions } from 'kafkajs';

export type Connection = Pick<KafkaConfig, 'ssl' | 'sasl'> & { readonly brokers: string[] };

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

/**
 * Reads `kafka://[user:password@]host:port,host:port[?tls=true&mechanism=scram-sha-256]`. What should not stand in a URL
 * may stand in the environment: KAFKA_USERNAME, KAFKA_PASSWORD, and KAFKA_CA_FILE (PEM; turns TLS on).
 * Throws one sentence, without the password, when it cannot be read.
 */
export function connectionOf(url: string, env: Readonly<Record<string, string | undefined>> = process.env): Connection {
  const parts = /^kafka:\/\/(?:([^:@/]*):([^@/]*)@)?([^/?@]+)\/?(?:\?(.*))?$/.exec(url);
  if (!parts) throw new Error('BUS_URL is not of the form kafka://host:port,host:port');
  const [, user, password, hosts, query] = parts;
  const brokers = hosts!.split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:9092`));
  const options = new URLSearchParams(query ?? '');
  const ca = env['KAFKA_CA_FILE'];
  const tls = options.get('tls') === 'true' || ca !== undefined;
  const username = user === undefined ? env['KAFKA_USERNAME'] : decodeURIComponent(user);
  const secret = password === undefined ? env['KAFKA_PASSWORD'] : decodeURIComponent(password);
  return {
    brokers,
    ...(tls && { ssl: ca === undefined ? true : { ca: [readFileSync(ca, 'utf8')] } }),
    ...(username !== undefined && { sasl: sasl(options.get('mechanism') ?? 'plain', username, secret ?? '') }),
  };
}

function sasl(asked: string, username: string, password: string): SASLOptions {
  const mechanism = MECHANISMS.find((known) => known === asked.toLowerCase());
  if (!mechanism) throw new Error(`BUS_URL asks for the mechanism ${asked}; there are ${MECHANISMS.join(', ')}`);
  return { mechanism, username, password } as SASLOptions;
}
