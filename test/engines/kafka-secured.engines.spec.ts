import { BusRefusedError } from '#messaging';
import { Ledger, roundRobin } from '#messaging/conformance/ledger';
import { KafkaBus } from '#messaging/kafka/kafka-bus';
import { eventually } from '#testing';
import { KafkaNode } from './kafka';

const USER = { name: 'postledger', password: 's3cr3t-of-the-tests' };
const KEYS = ['pst_1', 'pst_2', 'pst_3'];

describe('a Kafka that asks who comes', () => {
  let node: KafkaNode;
  beforeAll(async () => void (node = await KafkaNode.start({ user: USER })), 180_000);
  afterAll(() => node?.remove());

  /** The address of a listener; `who` as it stands in a URL. */
  const at = (listener: 'sasl' | 'tls' | 'both', query = '', who = `${USER.name}:${USER.password}@`): string =>
    `kafka://${who}127.0.0.1:${node.plan.secured!.ports[listener]}${query}`;
  const trusting = () => ({ KAFKA_CA_FILE: node.certificate });

  const WAYS: Record<string, () => readonly [url: string, env: Record<string, string>]> = {
    'a password (PLAIN)': () => [at('sasl'), {}],
    'a password that is not sent (SCRAM-SHA-256)': () => [at('sasl', '?mechanism=scram-sha-256'), {}],
    'a password that is not sent (SCRAM-SHA-512)': () => [at('sasl', '?mechanism=scram-sha-512'), {}],
    TLS: () => [at('tls', '', ''), trusting()],
    'TLS and a password (PLAIN)': () => [at('both', '?tls=true'), trusting()],
    'TLS and a password from the environment (SCRAM-SHA-512)': () => [
      at('both', '?mechanism=scram-sha-512', ''),
      { ...trusting(), KAFKA_USERNAME: USER.name, KAFKA_PASSWORD: USER.password },
    ],
  };

  it.each(Object.keys(WAYS))('lets in and carries messages with %s', async (way) => {
    const [url, env] = WAYS[way]!();
    const bus = new KafkaBus(url, { env });
    const topic = `test.secured.${Object.keys(WAYS).indexOf(way)}`;
    await bus.ensureTopics([topic]);
    const sent = roundRobin(topic, KEYS, 30);
    await bus.publish(sent);
    const ledger = new Ledger();
    await bus.subscribe({ group: topic, topics: [topic], onBatch: ledger.handle });
    await eventually(() => expect(ledger.missing(sent)).toEqual([]), { within: 60_000 });
    expect(ledger.disorder()).toEqual([]);
    // The release is told before anybody says who they are, over TLS too.
    const [major, minor] = KafkaNode.version.split('.');
    expect((await bus.check()).version).toMatch(new RegExp(`^${major}\\.${minor} \\(cluster \\S+, brokers 1\\)$`));
    await bus.close();
  });

  /** What a bus that is not let in says; never the password. */
  async function refusal(url: string, env: Record<string, string> = {}): Promise<Error> {
    const bus = new KafkaBus(url, { env });
    const refused: Error = await bus.check().then(
      () => new Error('let in'),
      (error: Error) => error,
    );
    await bus.close();
    expect(refused.message).not.toContain('wr0ng');
    return refused;
  }

  it.each(['plain', 'scram-sha-256'])(
    'refuses a wrong password (%s) in one sentence that says so',
    async (mechanism) => {
      const refused = await refusal(at('sasl', `?mechanism=${mechanism}`, `${USER.name}:wr0ng@`));
      expect(refused).toBeInstanceOf(BusRefusedError);
      expect(refused.message).toMatch(/^Kafka refuses: the user or the password is wrong/);
    },
  );

  it('is refused when its certificate was signed by nobody we trust', async () => {
    const refused = await refusal(at('both', '?tls=true'));
    expect(refused).toBeInstanceOf(BusRefusedError);
    expect(refused.message).toMatch(/^Kafka refuses: its certificate does not verify \(self.signed certificate/i);
  });
});
