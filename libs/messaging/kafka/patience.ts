import type { Admin, Consumer, Producer } from 'kafkajs';

type Client = Pick<Admin | Consumer | Producer, 'on' | 'events'>;

/** kafkajs waits with a goodbye for what brokers have yet to answer: nobody waits longer for it. */
export const CLOSE_MS = 3_000;

/** Waits for `work`, and no longer than so many milliseconds: brokers that are away answer nothing that could end it. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([work, new Promise<void>((over) => (timer = setTimeout(over, ms)))]);
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects as soon as a request of the client is not answered in time. */
export async function unlessSilent<T>(client: Client, work: Promise<T>): Promise<T> {
  let unhear: () => void = () => undefined;
  const silence = new Promise<never>((_, reject) => (unhear = onSilence(client, reject)));
  try {
    return await Promise.race([work, silence]);
  } finally {
    unhear();
  }
}

/** Connects a client; one that fails, or a request of which is not answered in time, is given up. */
export async function connected<C extends Admin | Producer>(client: C): Promise<C> {
  const connecting = client.connect();
  try {
    await unlessSilent(client, connecting);
    return client;
  } catch (error) {
    abandon(client, connecting);
    throw error;
  }
}

/**
 * Tells of each request that is not answered in time, until the function is called that it returns. A broker that hangs keeps its connections, and
 * kafkajs puts its requests to it again, for minutes.
 */
export function onSilence(client: Client, tell: (error: Error) => void): () => void {
  const { events, on } = client as Pick<Admin, 'on' | 'events'>;
  return on(events.REQUEST_TIMEOUT, ({ payload: { apiName, broker } }) =>
    tell(new Error(`No answer from ${broker} to ${apiName}`)),
  );
}

/** Closes a client that is given up, once `work` of it has ended, well or not: kafkajs would open for it what was closed. */
export function abandon(client: Admin | Producer, work: Promise<unknown>): void {
  const close = () => client.disconnect();
  work.then(close, close).catch(() => undefined);
}
