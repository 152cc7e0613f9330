import { Inject, Injectable, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { NO_STREAM, readOwn, streamName, type RecordedEvent } from '#event-store';
import { ENGINES, type Engines } from '#platform';
import {
  readModels,
  revisionAfter,
  takeIn,
  ViewProgress,
  type AuditEntry,
  type AuditFilters,
  type FoundById,
  type KeyedQuery,
  type KeyedView,
  type Page,
  type PageOptions,
  type ReadModels,
} from '#read-models';
import { upcast } from '#public-messages';
import { Written } from '../commands/written';
import type { Call } from '../http/call';
import { DEFAULT_LIMIT, type PageQuery } from '../http/page.query';
import { isUnbuilt, problem, type Problem } from '../http/problem';
import { ReadTurns } from './read-turns';

/** A GET with `minRevision`, unless it says otherwise. */
export const REVISION_WAIT_MS = 5_000;
const LIST_WAIT_MS = 1_000;
/** So long may those wait on who wait when the process is told to end: it has less time than the longest of them. */
const LAST_WAIT_MS = 1_000;
/** A stream of so many events is not read for what its view is about to have. */
const LONG = 200;

/** What was waited for has not come in time. */
export const behind = (): Problem => problem('READ_MODEL_BEHIND', { headers: { 'retry-after': '1' } });

/** What shares a stream is in one with the workspace's id. */
const streamIdOf = ({ isDivided }: Pick<KeyedView, 'isDivided'>, workspace: string, id: string): string =>
  isDivided ? workspace : id;

const NOWHERE = { revision: NO_STREAM, streamRevision: NO_STREAM, position: 0 };

/** Reads things and lists of them for a request; what this process wrote or showed it also reads. */
@Injectable()
export class Things implements OnModuleDestroy, OnApplicationShutdown {
  readonly models: ReadModels;
  private readonly progress: ViewProgress;
  private ending: NodeJS.Timeout | undefined;

  constructor(
    @Inject(ENGINES) private readonly engines: Engines,
    private readonly written: Written,
    private readonly turns: ReadTurns,
  ) {
    this.models = readModels(engines.db);
    this.progress = new ViewProgress(engines.db, engines.wake, (error) =>
      engines.log.warn({ err: error.message }, 'the progress of views is not known'),
    );
  }

  /**
   * The thing `id`, with its ETag on the answer. Waits for `minRevision` (Problem READ_MODEL_BEHIND when it does not come);
   * throws what `absent` makes when the workspace has no such thing, in the view or in the log.
   */
  async get<S extends object, Shown extends object>(
    query: KeyedQuery<S, Shown>,
    id: string,
    absent: () => Error,
    call: Call,
    minRevision?: number,
  ): Promise<Shown> {
    return (await this.see(query, id, absent, call, minRevision)).view;
  }

  /** As `get`, with the state behind the answer. */
  async see<S extends object, Shown extends object>(
    query: KeyedQuery<S, Shown>,
    id: string,
    absent: () => Error,
    call: Call,
    minRevision?: number,
  ): Promise<FoundById<S, Shown>> {
    const { view } = query;
    const seen =
      minRevision === undefined
        ? await this.present(query, call.workspace, id)
        : await this.waited(query, call, id, minRevision);
    if (!seen || view.isGone?.(seen.state)) throw absent();
    call.revision(seen.revision);
    this.written.met(call.workspace, seen.position);
    return seen;
  }

  /** A page, newest first, that holds what this process wrote or showed before (for as long as `caughtUp` waits). */
  async list<S extends object, Shown extends object>(
    query: KeyedQuery<S, Shown>,
    { limit = DEFAULT_LIMIT, cursor, ...filters }: PageQuery & Readonly<Record<string, string | number | undefined>>,
    call: Call,
  ): Promise<Page<Shown>> {
    await this.caughtUp(query.view.name, call.workspace, call.waitMs);
    const page = await this.turns.page(call.workspace, () =>
      query.list(call.workspace, filters as Record<string, string | undefined>, { limit, cursor }),
    );
    const newest = Math.max(0, ...page.data.map(({ position }) => position));
    this.progress.passed(query.view.name, newest);
    this.written.met(call.workspace, newest);
    return { ...page, data: page.data.map(({ view }) => view) };
  }

  /** A page of the audit log, with all that this process wrote or showed before. */
  async audit(filters: AuditFilters, page: PageOptions, call: Call): Promise<Page<AuditEntry>> {
    await this.caughtUp('audit', call.workspace, call.waitMs);
    const entries = await this.turns.page(call.workspace, () => this.models.audit.list(call.workspace, filters, page));
    this.progress.passed('audit', entries.data[0]?.position ?? 0);
    for (const entry of entries.data) this.written.note(call.workspace, entry.entityType, entry.entityId, entry);
    return entries;
  }

  /** Resolves once a view has what this process wrote or showed in the workspace, or after `waitMs` (a second). */
  async caughtUp(view: string, workspace: string, waitMs = LIST_WAIT_MS): Promise<void> {
    const position = this.written.position(workspace);
    if (position > 0) await this.progress.reached(view, position, waitMs);
  }

  /**
   * The thing as the log has it, through the view's own fold; undefined when it has no events there. Of a stream with many things only what their
   * view does not have yet is read.
   */
  private async fromLog<S extends object, Shown extends object>(
    query: KeyedQuery<S, Shown>,
    workspace: string,
    id: string,
  ): Promise<FoundById<S, Shown> | undefined> {
    const { view } = query;
    const stream = streamName(view.category, workspace, streamIdOf(view, workspace, id));
    const [row, news] = view.isDivided ? await this.beside(query, workspace, id, stream) : [];
    const rows = new Map(row && [[id, row.state]]);
    let { revision, streamRevision, position } = row ?? NOWHERE;
    for (const event of news ?? (await readOwn(this.engines.store, stream, streamRevision + 1))) {
      if (event.revision <= streamRevision || !view.keys(event).includes(id)) continue;
      takeIn(view, rows, upcast(event));
      revision = revisionAfter(view, revision, event);
      ({ revision: streamRevision, position } = event);
    }
    const state = rows.get(id);
    return state && { state, view: view.present(state, id), revision, streamRevision, position };
  }

  /** Resolves once the view has the thing at a revision; throws the Problem READ_MODEL_BEHIND when that does not come in time. */
  async seen(
    { name }: Pick<KeyedView, 'name'>,
    { workspace, waitMs = REVISION_WAIT_MS }: Pick<Call, 'workspace' | 'waitMs'>,
    id: string,
    minRevision: number,
  ): Promise<void> {
    const isSeen = await this.progress.revisionSeen(name, workspace, id, minRevision, waitMs).catch(unlessUnbuilt);
    if (!isSeen) throw behind();
  }

  /** Before the server closes: it waits for every open answer. */
  onModuleDestroy(): void {
    this.ending = setTimeout(() => this.progress.close(), LAST_WAIT_MS);
  }

  onApplicationShutdown(): void {
    clearTimeout(this.ending);
    this.progress.close();
  }

  /** A thing's row in its view, if it has one, and what has come to its stream since the view was so far, unless that is too much to look through. */
  private async beside<S extends object, Shown extends object>(
    query: KeyedQuery<S, Shown>,
    workspace: string,
    id: string,
    stream: string,
  ): Promise<readonly [row?: FoundById<S, Shown> | undefined, news?: readonly RecordedEvent[]]> {
    const { db, store } = this.engines;
    // First how far: what the view takes in meanwhile is in the row.
    const [view] = await db.query<{ position: number }>(
      "select position from projector.checkpoint where name = $1 and status = 'current'",
      [query.view.name],
    );
    const row = await query.get(workspace, id).catch(unlessUnbuilt);
    if (!view || !store.byWorkspace) return [row];
    const { events, isFull } = await store.readAll({ after: view.position, limit: LONG, workspace });
    return [row, isFull ? undefined : events.filter((event) => event.stream === stream)];
  }

  /** From the view, unless this process knows of something newer: then from the log. */
  private async present<S extends object, Shown extends object>(
    query: KeyedQuery<S, Shown>,
    workspace: string,
    id: string,
  ): Promise<FoundById<S, Shown> | undefined> {
    const { view } = query;
    const streamId = streamIdOf(view, workspace, id);
    const [position, revision] = [
      this.written.position(workspace),
      this.written.revision(workspace, view.category, streamId),
    ];
    // Asked before the row is read. What shares a stream is older than the stream although nothing is missing in it.
    const hasPassed = this.progress.position(view.name) >= position;
    const found = await query.get(workspace, id).catch(unlessUnbuilt);
    if (found && (hasPassed || found.streamRevision >= revision)) return found;
    if (revision >= LONG && (await this.progress.reached(view.name, position, LIST_WAIT_MS))) {
      const caughtUp = await query.get(workspace, id).catch(unlessUnbuilt);
      if (caughtUp) return caughtUp;
    }
    const newest = await this.fromLog(query, workspace, id);
    // What was shown once is never unseen: others may have written more than this process knew of, and the view lag behind it.
    if (newest) this.written.note(workspace, view.category, streamId, { ...newest, revision: newest.streamRevision });
    return newest ?? found;
  }

  private async waited<S extends object, Shown extends object>(
    query: KeyedQuery<S, Shown>,
    call: Call,
    id: string,
    minRevision: number,
  ): Promise<FoundById<S, Shown> | undefined> {
    const found = await query.get(call.workspace, id).catch(unlessUnbuilt);
    if (found && found.revision >= minRevision) return found;
    // What is not even in the log is no matter of waiting.
    if (!found && !(await this.fromLog(query, call.workspace, id))) return undefined;
    await this.seen(query.view, call, id, minRevision);
    return query.get(call.workspace, id);
  }
}

/** A projector that has not run yet has made no tables: there is nothing in them either. */
function unlessUnbuilt(error: unknown): undefined {
  if (isUnbuilt(error)) return undefined;
  throw error;
}
