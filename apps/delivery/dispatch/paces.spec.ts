import type { Database } from '#postgres';
import { eventually } from '#testing';
import { Pace } from './pace';
import { Paces } from './paces';

describe('turns of an endpoint with a rate', () => {
  const query = jest.fn<Promise<object[]>, [text: string, params: unknown[]]>();
  const faults: string[] = [];
  const paces = new Paces({ db: { query } as unknown as Database, onFault: ({ message }) => faults.push(message) });
  const given = jest.fn();
  afterAll(() => paces.stop());

  it('are asked for again where the database was away', async () => {
    query.mockRejectedValueOnce(new Error('away')).mockResolvedValueOnce([{ waits: [0] }]);
    const pace = new Pace(40);
    paces.ask(1, pace, given);
    await eventually(() => expect(given).toHaveBeenCalledTimes(1));
    expect([faults, pace.isAsked]).toEqual([['away'], false]);
    const asked = [[1], [40], [4]];
    expect(query.mock.calls.map(([, params]) => params)).toEqual([asked, asked]);
  });

  it('are asked for once, however often they are wanted meanwhile', async () => {
    query.mockReset();
    let answer: (rows: object[]) => void = () => undefined;
    query.mockReturnValueOnce(new Promise((rows) => (answer = rows))).mockResolvedValue([{ waits: [0] }]);
    const pace = new Pace(40);
    for (let times = 0; times < 3; times++) paces.ask(1, pace, given);
    answer([{ waits: [0] }]);
    await eventually(() => expect(paces['asking']).toBe(false));
    expect(query).toHaveBeenCalledTimes(1);
  });
});
