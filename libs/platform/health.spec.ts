import { Health } from './health';

describe('the health of a process', () => {
  it('keeps the last error of a part when the part is well again', async () => {
    const health = new Health();
    let away = true;
    health.part('bus', () =>
      away ? Promise.reject(new Error('Kafka does not answer')) : { ok: true, engine: 'Kafka' },
    );
    health.part('database', () => ({ ok: true }));
    const lastError = { at: expect.stringMatching(/^\d{4}-.*Z$/), message: 'Kafka does not answer' };
    expect(await health.ready()).toEqual({
      status: 'unavailable',
      parts: { bus: { ok: false, detail: 'Kafka does not answer', lastError }, database: { ok: true } },
    });
    away = false;
    expect(await health.ready()).toEqual({
      status: 'ready',
      parts: { bus: { ok: true, engine: 'Kafka', lastError }, database: { ok: true } },
    });
  });

  it('waits three seconds for a part, and says that it is silent', async () => {
    jest.useFakeTimers();
    try {
      const health = new Health();
      health.part('bus', () => new Promise(() => undefined));
      health.part('database', () => ({ ok: true }));
      const ready = health.ready();
      // Who has answered is waited for no more.
      await jest.advanceTimersByTimeAsync(0);
      expect(jest.getTimerCount()).toBe(1);
      await jest.advanceTimersByTimeAsync(3_000);
      expect(await ready).toMatchObject({
        status: 'unavailable',
        parts: { bus: { ok: false, detail: 'No answer within 3000 ms' }, database: { ok: true } },
      });
    } finally {
      jest.useRealTimers();
    }
  });

  it('asks a part once for all who ask at the same time, and anew for who comes later', async () => {
    const health = new Health();
    let asked = 0;
    health.part('database', async () => ({ ok: true, asked: ++asked }));
    const answers = await Promise.all(Array.from({ length: 100 }, () => health.ready()));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(asked).toBe(1);
    expect(await health.ready()).toMatchObject({ parts: { database: { asked: 2 } } });
  });

  it('is not ready any more once the process takes no more work, and says so', async () => {
    const health = new Health();
    health.part('database', () => ({ ok: true }));
    health.drain();
    expect(await health.ready()).toEqual({
      status: 'unavailable',
      parts: { database: { ok: true }, process: { ok: false, detail: 'The process is shutting down' } },
    });
  });

  it('tells of a fault that a part has mended by itself, and stays ready', async () => {
    const health = new Health();
    health.part('relay', () => ({ ok: true, lag: 3 }));
    health.fault('relay', new Error('the connection was reset'));
    expect(await health.ready()).toMatchObject({
      status: 'ready',
      parts: { relay: { ok: true, lag: 3, lastError: { message: 'the connection was reset' } } },
    });
  });
});
