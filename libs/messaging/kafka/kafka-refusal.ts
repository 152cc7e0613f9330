import { untrusted } from '#kernel';

/** Why Kafka will not have us, as a sentence, when asking again cannot help; undefined for faults that pass. Holds no secret. */
export function refusalOf(error: unknown): string | undefined {
  for (let cause = error as Partial<Error> | undefined; cause; cause = cause.cause as Partial<Error> | undefined) {
    const { name, message = '' } = cause;
    if (name === 'KafkaJSSASLAuthenticationError')
      return /not supported/i.test(message)
        ? `Kafka refuses: ${message.replace(/\.$/, '')}; name another in BUS_URL (mechanism=…)`
        : 'Kafka refuses: the user or the password is wrong; check BUS_URL, or KAFKA_USERNAME and KAFKA_PASSWORD';
    const distrust = untrusted(message);
    if (distrust)
      return `Kafka refuses: its certificate does not verify (${distrust}); KAFKA_CA_FILE names the authority to trust`;
  }
  return undefined;
}
