import type { ClientBase } from 'pg';
import { History, OtherHistoryError } from './history';

/** A connection to a server that tells its timeline, or answers with a SQLSTATE. */
const connection = (answer: { timeline: string } | { code: string }) =>
  ({
    query: async () => {
      if ('code' in answer) throw Object.assign(new Error('refused'), answer);
      return { rows: [answer] };
    },
  }) as unknown as ClientBase;

describe('the history that a process knows', () => {
  let heard: number;
  let history: History;
  beforeEach(() => {
    heard = 0;
    history = new History(() => heard++);
  });
  const timelines = async (...told: string[]) => {
    for (const timeline of told) await history.check(connection({ timeline }));
  };

  it.each(['0A000', '42501', '42883'])(
    'is not told by a server that answers %s, and may be told later',
    async (code) => {
      await history.check(connection({ code }));
      await history.check(connection({ code }));
      await timelines('00000001', '00000001');
      expect(heard).toBe(0);
      await expect(timelines('00000002')).rejects.toThrow(OtherHistoryError);
      expect(heard).toBe(1);
    },
  );

  it('is not taken from a server that is away', async () => {
    await expect(history.check(connection({ code: '57P01' }))).rejects.toMatchObject({ code: '57P01' });
    await timelines('00000002', '00000002');
    expect(heard).toBe(0);
  });

  it('stays the one of the first connection, however often another is met', async () => {
    await timelines('00000001');
    for (let n = 1; n <= 2; n++) {
      await expect(timelines('00000002')).rejects.toThrow(OtherHistoryError);
      expect(heard).toBe(n);
    }
    await timelines('00000001');
  });
});
