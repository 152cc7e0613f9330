import type { LogFeed } from './projections/log-feed';
import type { ProjectionRunner } from './projections/projection-runner';
import { projectorHealth } from './projector-health';

describe('the health of the projector', () => {
  /** Of projections of which each is at a position where this process leads it, and may be stopped. */
  const told = (runners: Readonly<Record<string, object>>) =>
    projectorHealth(
      new Map(Object.entries(runners)) as unknown as Map<string, ProjectionRunner>,
      {
        head: 10,
      } as LogFeed,
    );
  const at = (position: number) => ({ checkpoint: { position } });

  it('tells how far each projection is that it leads, and how far the slowest is behind', () => {
    expect(told({ posts: at(10), audit: at(7), elsewhere: {} })).toEqual({
      ok: true,
      head: 10,
      lag: 3,
      leads: { posts: 10, audit: 7 },
      stopped: [],
    });
    // What was read since is not known to the feed yet.
    expect(told({ posts: at(12) })).toMatchObject({ ok: true, lag: 0 });
    expect(told({})).toMatchObject({ ok: true, lag: 0, leads: {} });
  });

  it('is not good while one that it leads cannot go on, and says which, where and why', () => {
    const stopped = { position: 8, eventId: 'evt_1', eventType: 'Surprise', reason: 'Unknown event type Surprise' };
    expect(told({ posts: at(10), audit: { ...at(7), stopped }, elsewhere: { stopped } })).toMatchObject({
      ok: false,
      detail: 'Projection audit stopped at position 8: Unknown event type Surprise',
      lag: 3,
      stopped: [{ projection: 'audit', ...stopped }],
    });
  });
});
