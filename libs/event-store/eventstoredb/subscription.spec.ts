import { Readable } from 'node:stream';
import type { AllStreamSubscription } from '@eventstore/db-client';
import { SubscriptionReader } from './subscription';

const SILENT = 'the subscription has gone silent while the log goes on';

describe('a subscription that is silent', () => {
  /** What is heard of it when each question whether the log has gone on is answered by the next of `answers`: what comes meanwhile, and yes or no. */
  const heard = async (...answers: (() => boolean)[]) => {
    const left = [...answers];
    const control = new AbortController();
    const reader = new SubscriptionReader(subscription as unknown as AllStreamSubscription, {
      maxBatch: 10,
      signal: control.signal,
      gone: control.signal,
      watchMs: 1,
      isBehind: async () => {
        const answer = left.shift();
        if (!answer) throw new Error('asked too often');
        return answer();
      },
    });
    const events = await reader.next().catch((error: Error) => error.message);
    reader.stop();
    return { events, asked: answers.length - left.length };
  };
  let subscription: Readable;
  beforeEach(() => {
    subscription = Object.assign(new Readable({ objectMode: true, read: () => undefined }), {
      unsubscribe: async () => undefined,
    });
  });
  const yes = () => true;
  const no = () => false;
  const comes = () => subscription.push('an event');

  it('is given up when the log has gone on twice in a row, and not before', async () => {
    expect(await heard(yes, yes)).toEqual({ events: SILENT, asked: 2 });
    expect(await heard(yes, no, yes, yes)).toEqual({ events: SILENT, asked: 4 });
  });

  it('is not when what was on its way has come meanwhile', async () => {
    expect(await heard(yes, comes)).toEqual({ events: ['an event'], asked: 2 });
  });

  it('is not as long as the log is silent too', async () => {
    expect(await heard(no, no, no, comes)).toEqual({ events: ['an event'], asked: 4 });
  });
});
