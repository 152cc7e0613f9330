import { serialize } from 'node:v8';
import { instant, isSealed, plus, MINUTE } from '#kernel';
import { MemoryKeyTable, SubjectKeys } from '#personal-data';
import { postAggregate, type PostCommand } from '#publishing';
import { eventually } from '#testing';
import { CommandHandler, type CommandContext } from '../port/command-handler';
import { EventStoreUnavailableError, streamName, type EventStore, type RecordedEvent } from '../port/event-store';
import type { Snapshot, Snapshots } from '../port/snapshots';
import type { OpenStore } from './event-store.conformance';
import { collect } from './support';

const TEXT = 'Numbats “at” dawn \\ {"$sealed":"usr_ada.1.x"}';
const REASON = 'Too many numbats';
const WORD = /numbat/i;
const at = instant('2026-04-22T14:00:00.000Z');
const wrapping = { encrypt: (text: string) => `wrapped ${text}`, decrypt: (box: string) => box.slice(8) };

type Content = { readonly content: { readonly text: unknown } };

/** Snapshots as a table would keep them, in bytes. */
class KeptSnapshots implements Snapshots {
  readonly kept = new Map<string, { shape: string; snapshot: Snapshot; bytes: Buffer }>();
  found = 0;

  async find(stream: string, shape: string): Promise<Snapshot | undefined> {
    const one = this.kept.get(stream);
    if (one?.shape !== shape) return undefined;
    this.found++;
    return one.snapshot;
  }

  offer(stream: string, shape: string, snapshot: Snapshot): void {
    this.kept.set(stream, { shape, snapshot, bytes: serialize(snapshot) });
  }
}

let run = 0;

/** What holds of personal data in every event store: it is sealed on its way in, and the store never knows better. */
export function sealingConformance(name: string, open: () => Promise<OpenStore>): void {
  describe(`personal data in ${name}`, () => {
    let opened: OpenStore;
    let store: EventStore;
    let table: MemoryKeyTable;
    let here: ReturnType<typeof processOf>;
    /** New in each run and test: a real engine keeps what earlier runs wrote. */
    let workspace: string;
    let postId: string;
    let stream: string;
    let commands: number;

    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.close());
    beforeEach(() => {
      const scope = `${process.pid}-${Date.now()}-${run++}`;
      [workspace, postId, commands, table] = [`ws_${scope}`, `pst_${scope}`, 0, new MemoryKeyTable()];
      stream = streamName('post', workspace, postId);
      here = processOf();
    });
    afterEach(() => jest.restoreAllMocks());

    /** What one process knows: keys and states in its memory. */
    const processOf = (snapshots?: Snapshots) => {
      const keys = new SubjectKeys({ table, wrapping });
      const more = snapshots && { snapshots: { snapshots, every: 2 } };
      return { keys, handler: new CommandHandler(store, { sealing: keys, ...more }) };
    };
    const by = (actor = 'usr_ada'): CommandContext => ({
      workspace,
      actor,
      correlationId: 'correlation-1',
      causationId: null,
      commandId: `${postId}/${commands++}`,
      at,
      repeatable: true,
    });
    const send = ({ handler }: Pick<typeof here, 'handler'>, command: PostCommand, context = by()) =>
      handler.handle(postAggregate, postId, command, context);
    const scheduling = (text = TEXT): Extract<PostCommand, { type: 'SchedulePost' }> => ({
      type: 'SchedulePost',
      at,
      actor: 'usr_ada',
      postId,
      profileId: 'prof_1',
      content: { text, mediaIds: [] },
      destinations: [{ id: 'dst_1', accountId: 'acct_1', platform: 'instagram' }],
      scheduledAt: plus(at, MINUTE),
      campaignId: null,
    });
    const rescheduling = (minutes: number): PostCommand => ({
      type: 'ReschedulePost',
      at,
      actor: 'usr_ada',
      scheduledAt: plus(at, minutes * MINUTE),
    });
    const cancelling: PostCommand = { type: 'CancelPost', at, actor: 'usr_ada', reason: REASON };
    const textIn = ({ data }: { data: object }): unknown => (data as Content).content.text;
    /** As an answer at the edge: opened. */
    const opening = async (event: { data: object }, { keys } = here) =>
      JSON.parse((await keys.open(workspace, JSON.stringify(event.data))).text) as Content & { reason?: unknown };
    const erase = (generation = 1) =>
      here.keys.destroy(workspace, [{ subject: 'usr_ada', generation }], '2026-05-01T10:00:00.000Z');

    it('is nothing that it could show: not by stream, not in the whole log, not to a follower', async () => {
      const after = await store.head();
      const stop = new AbortController();
      const follower = collect(store.follow({ after, maxBatch: 10, signal: stop.signal }));
      await send(here, scheduling());
      await send(here, cancelling);
      const own = (events: readonly RecordedEvent[]) =>
        events.filter((event) => event.metadata.workspace === workspace);
      await eventually(() => expect(own(follower.events)).toHaveLength(2));
      stop.abort();
      await follower.done;
      const readings = [
        await store.read(stream),
        (await store.readAll({ after, limit: 10, workspace })).events,
        own(follower.events),
      ];
      for (const events of readings) {
        expect(events.map(({ type }) => type)).toEqual(['PostScheduled', 'PostCancelled']);
        expect(JSON.stringify(events)).not.toMatch(WORD);
        expect(textIn(events[0]!)).toEqual({ $sealed: expect.stringMatching(/^usr_ada\.1\.[A-Za-z0-9_-]+$/) });
        // Opened as the last step, by whichever process has the keys.
        expect((await opening(events[0]!, processOf())).content.text).toBe(TEXT);
        expect((await opening(events[1]!, processOf())).reason).toBe(REASON);
      }
    });

    it('is the same append, byte for byte, when its command is sent again by another process', async () => {
      const append = jest.spyOn(store, 'append');
      const context = by();
      const first = await send(here, scheduling(), context);
      const again = await send(processOf(), scheduling(), context);
      const proposed = append.mock.calls.map(([, events]) => JSON.stringify(events));
      expect(proposed).toEqual([proposed[0], proposed[0]]);
      expect(again).toMatchObject({ revision: first.revision, position: first.position, state: first.state });
      const stored = await store.read(stream);
      expect(stored.map(({ data }) => JSON.stringify(data))).toEqual(
        first.events.map(({ data }) => JSON.stringify(data)),
      );
    });

    it('is the same append when the answer to the first was lost', async () => {
      const append = store.append.bind(store);
      const lossy = jest.spyOn(store, 'append').mockImplementationOnce(async (...proposal) => {
        await append(...proposal);
        throw new EventStoreUnavailableError('the connection is gone');
      });
      const context = by();
      await expect(send(here, scheduling(), context)).rejects.toBeInstanceOf(EventStoreUnavailableError);
      for (const process of [here, processOf()]) {
        const { events, revision } = await send(process, scheduling(), context);
        expect(revision).toBe(0);
        expect((await opening(events[0]!)).content.text).toBe(TEXT);
      }
      const proposed = lossy.mock.calls.map(([, events]) => JSON.stringify(events));
      expect(proposed.length).toBeGreaterThan(1);
      expect(new Set(proposed).size).toBe(1);
      expect(await store.read(stream)).toHaveLength(1);
    });

    it('reads null once its key is destroyed, and does not come back with a command that is sent again', async () => {
      const context = by();
      await send(here, scheduling(), context);
      const before = await store.read(stream);
      await erase();
      expect(await here.keys.open(workspace, JSON.stringify(before))).toMatchObject({ erased: true });
      for (const process of [here, processOf()]) {
        const again = await send(process, scheduling(), context);
        expect((await opening(again.events[0]!, process)).content.text).toBeNull();
      }
      // The log is what it was: nothing in it was touched, and nothing came to it.
      expect(await store.read(stream)).toEqual(before);
    });

    it('is sealed with the next key of its subject after that, and passed on as it is', async () => {
      await send(here, scheduling());
      await erase();
      await send(here, cancelling);
      const [scheduled, cancelled] = await store.read(stream);
      expect(cancelled!.data).toMatchObject({ reason: { $sealed: expect.stringMatching(/^usr_ada\.2\./) } });
      expect((await opening(scheduled!)).content.text).toBeNull();
      expect((await opening(cancelled!)).reason).toBe(REASON);
      await erase(2);
      expect((await opening(cancelled!)).reason).toBeNull();
    });

    it('is read by nobody when its key is destroyed on its way into the log, as if it had come before', async () => {
      const append = store.append.bind(store);
      jest.spyOn(store, 'append').mockImplementationOnce(async (...proposal) => {
        await erase();
        return append(...proposal);
      });
      await send(here, scheduling());
      await send(here, cancelling);
      const [scheduled, cancelled] = await store.read(stream);
      for (const process of [here, processOf()]) {
        expect((await opening(scheduled!, process)).content.text).toBeNull();
        expect((await opening(cancelled!, process)).reason).toBe(REASON);
      }
    });

    it('stands in a snapshot as it stands in the log, and what is decided on one repeats it sealed', async () => {
      const snapshots = new KeptSnapshots();
      const early = processOf(snapshots);
      await send(early, scheduling());
      for (const minutes of [2, 3, 4]) await send(early, rescheduling(minutes));
      const { snapshot, bytes } = snapshots.kept.get(stream)!;
      expect(snapshot.revision).toBe(3);
      expect(bytes.includes('$sealed')).toBe(true);
      for (const encoding of ['latin1', 'utf16le'] as const) expect(bytes.toString(encoding)).not.toMatch(WORD);

      const late = processOf(snapshots);
      const due = plus(at, 4 * MINUTE);
      await send(late, { type: 'MarkPostDue', at: due, actor: 'system' }, { ...by('system'), at: due });
      expect(snapshots.found).toBe(1);
      const events = await store.read(stream);
      expect(events.map(({ type }) => type).slice(4)).toEqual(['PostPublishingStarted', 'DestinationDue']);
      expect(textIn(events[5]!)).toEqual(textIn(events[0]!));
      expect(isSealed(textIn(events[5]!))).toBe(true);
      expect((await opening(events[5]!)).content.text).toBe(TEXT);
    });

    it('may be as long as it may, of a post to as many accounts as may be', async () => {
      const destinations = Array.from({ length: 50 }, (_, n) => ({
        id: `dst_${n}`,
        accountId: `acct_${n}`,
        platform: 'instagram',
      }));
      await send(here, { ...scheduling('本'.repeat(10_000)), destinations });
      const due = plus(at, MINUTE);
      const marking = { type: 'MarkPostDue', at: due, actor: 'system' } as const;
      const appends = [];
      do appends.push((await send(here, marking, { ...by('system'), at: due })).events.map(({ type }) => type));
      while (appends.at(-1)!.includes('DestinationsHeldOver'));
      expect(appends.length).toBeGreaterThan(1);
      const told = (await store.read(stream)).filter(({ type }) => type === 'DestinationDue');
      expect(told.map(({ data }) => (data as { destinationId: string }).destinationId)).toEqual(
        destinations.map(({ id }) => id),
      );
    });

    it('keeps a command out of the log as long as its key cannot be had', async () => {
      const context = by();
      jest.spyOn(table, 'take').mockRejectedValueOnce(new Error('the keys are away'));
      await expect(send(here, scheduling(), context)).rejects.toThrow('the keys are away');
      jest.spyOn(wrapping, 'decrypt').mockImplementationOnce(() => {
        throw new Error('wrapped with another master key');
      });
      await expect(send(here, scheduling(), context)).rejects.toThrow('another master key');
      expect(await store.read(stream)).toEqual([]);
      await send(here, scheduling(), context);
      expect((await opening((await store.read(stream))[0]!)).content.text).toBe(TEXT);
    });

    it('may stand clear where it was stored before it was sealed: it reads and folds, and what follows is sealed', async () => {
      await send({ handler: new CommandHandler(store) }, scheduling());
      await send(here, rescheduling(2));
      await send(here, cancelling);
      const [scheduled, , cancelled] = await store.read(stream);
      expect(textIn(scheduled!)).toBe(TEXT);
      expect((await opening(scheduled!)).content.text).toBe(TEXT);
      expect(isSealed((cancelled!.data as { reason: unknown }).reason)).toBe(true);
      const { state } = await processOf().handler.load(postAggregate, workspace, postId);
      expect(state).toMatchObject({ status: 'cancelled', content: { text: TEXT } });
      await erase();
      expect([(await opening(scheduled!)).content.text, (await opening(cancelled!)).reason]).toEqual([TEXT, null]);
    });
  });
}
