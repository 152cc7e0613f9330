import type { BusMessage, ReceivedMessage } from '../port/bus';

/** The `n`-th message of a key, n from 1; its id says both. */
export function numbered(topic: string, key: string, n: number, value: object = { n }): BusMessage {
  const id = `evt_${key}_${n}`;
  return {
    id,
    type: 'test.numbered',
    topic,
    key,
    headers: {
      ce_specversion: '1.0',
      ce_id: id,
      ce_type: 'test.numbered',
      ce_source: 'urn:postledger:workspace:ws_1',
      ce_time: '2026-04-22T14:00:00.000Z',
      ce_subject: key,
      'content-type': 'application/json',
    },
    value: JSON.stringify(value),
  };
}

/** `count` messages, one key after the other and around again. */
export function roundRobin(topic: string, keys: readonly string[], count: number): BusMessage[] {
  return Array.from({ length: count }, (_, i) =>
    numbered(topic, keys[i % keys.length]!, Math.floor(i / keys.length) + 1),
  );
}

/** What consumers handled, in the order in which they did. */
export class Ledger {
  readonly ids: string[] = [];

  readonly handle = async (messages: readonly ReceivedMessage[]): Promise<void> => {
    for (const { id } of messages) this.ids.push(id);
  };

  get distinct(): number {
    return new Set(this.ids).size;
  }

  get duplicates(): number {
    return this.ids.length - this.distinct;
  }

  /** Where a message was handled before an earlier one of its key had been; empty when order was kept. */
  disorder(): string[] {
    const newest = new Map<string, number>();
    return this.ids.filter((id) => {
      const [, key, n] = /^evt_(.*)_(\d+)$/.exec(id)!;
      const seen = newest.get(key!) ?? 0;
      newest.set(key!, Math.max(seen, Number(n)));
      return Number(n) > seen + 1;
    });
  }

  missing(published: readonly BusMessage[]): string[] {
    const seen = new Set(this.ids);
    return published.map(({ id }) => id).filter((id) => !seen.has(id));
  }
}
