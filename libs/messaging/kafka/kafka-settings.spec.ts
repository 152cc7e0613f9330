import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { connectionOf } from './kafka-settings';

describe('the settings of a Kafka connection', () => {
  let folder: string;
  let certificate: string;
  const file = (text: string): string => {
    const path = join(folder, 'ca.pem');
    writeFileSync(path, text);
    return path;
  };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postledger-kafka-settings-'));
    const attributes = [{ name: 'commonName', value: 'authority' }];
    certificate = (await generate(attributes, { keyType: 'ec', algorithm: 'sha256' })).cert;
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('reads several brokers, and the usual port when none is given', () => {
    expect(connectionOf('kafka://a:9093,b', {})).toEqual({ brokers: ['a:9093', 'b:9092'] });
  });

  it('reads user, password, mechanism and TLS from the URL', () => {
    expect(connectionOf('kafka://me:p%40ss%3A@a:1/?tls=true&mechanism=SCRAM-SHA-512', {})).toEqual({
      brokers: ['a:1'],
      ssl: true,
      sasl: { mechanism: 'scram-sha-512', username: 'me', password: 'p@ss:' },
    });
  });

  it('takes what the URL leaves out from the environment', () => {
    const bundle = `The authority of ours\n${certificate}\n${certificate}`;
    const env = { KAFKA_USERNAME: 'me', KAFKA_PASSWORD: 'secret', KAFKA_CA_FILE: file(bundle) };
    const { ssl, sasl } = connectionOf('kafka://a:1', env);
    expect(sasl).toEqual({ mechanism: 'plain', username: 'me', password: 'secret' });
    expect(ssl).toEqual({ ca: [bundle] });
  });

  it('refuses what it cannot read, without repeating a password', () => {
    expect(() => connectionOf('kafka://me:hunter2@', {})).toThrow(
      'BUS_URL is not of the form kafka://host:port,host:port',
    );
    expect(() => connectionOf('kafka://me:hunter2@a:1?mechanism=gssapi', {})).toThrow(
      'BUS_URL asks for the mechanism gssapi; there are plain, scram-sha-256, scram-sha-512',
    );
    for (const url of ['kafka://a:port', 'kafka://a:99999', 'kafka://a,,b', 'kafka://a, b'])
      expect(() => connectionOf(url, {})).toThrow('BUS_URL is not of the form kafka://host:port,host:port');
    expect(() => connectionOf('kafka://me:hunter2@a:1,[::1]:9092', {})).toThrow(
      'BUS_URL has an IPv6 address, which the client of Kafka cannot read: give the broker a name',
    );
    expect(() => connectionOf('kafka://me:hunter%2@a:1', {})).toThrow(/^BUS_URL has a % in its user or password/);
    expect(() => connectionOf('kafka://a:1', { KAFKA_CA_FILE: '/nowhere' })).toThrow(
      'KAFKA_CA_FILE /nowhere cannot be read (ENOENT)',
    );
  });

  it('refuses an option that it would have to guess, so that no password travels without the TLS that was meant', () => {
    expect(() => connectionOf('kafka://me:x@a:1?tls=1', {})).toThrow('BUS_URL has tls=1; there are true and false');
    expect(() => connectionOf('kafka://me:x@a:1?ssl=true', {})).toThrow(
      'BUS_URL has the option ssl; there are tls and mechanism',
    );
  });

  it('refuses a mechanism that there is not, also while nobody is named who would use it', () =>
    expect(() => connectionOf('kafka://a:1?mechanism=foo', {})).toThrow(
      'BUS_URL asks for the mechanism foo; there are plain, scram-sha-256, scram-sha-512',
    ));

  it('refuses a file of authorities in which there is none', () => {
    for (const text of ['', 'secret', certificate.replaceAll('CERTIFICATE', 'PRIVATE KEY'), certificate.slice(0, 99)])
      expect(() => connectionOf('kafka://a:1', { KAFKA_CA_FILE: file(text) })).toThrow(
        `KAFKA_CA_FILE ${file(text)} holds no certificate in PEM`,
      );
  });

  it('refuses a password of nobody, with which it would go without one', () => {
    const env = { KAFKA_PASSWORD: 'hunter2' };
    expect(() => connectionOf('kafka://a:1', env)).toThrow(
      new Error('KAFKA_PASSWORD is set and nobody it belongs to; name the user in KAFKA_USERNAME'),
    );
    expect(connectionOf('kafka://me:x@a:1', env).sasl).toEqual({ mechanism: 'plain', username: 'me', password: 'x' });
  });

  it('takes a variable that is set to nothing as not set', () => {
    const env = { KAFKA_USERNAME: '', KAFKA_PASSWORD: '', KAFKA_CA_FILE: '' };
    expect(connectionOf('kafka://a:1', env)).toEqual({ brokers: ['a:1'] });
  });
});
