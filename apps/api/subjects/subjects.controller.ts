import { Inject, Param, Query } from '@nestjs/common';
import { allEntries, errorsOf } from '#kernel';
import type { StoredKey } from '#personal-data';
import { ENGINES, type Engines } from '#platform';
import { SubjectsQuery, type Page, type SentView } from '#read-models';
import { subjectAggregate, subjectErrors, teamAggregate } from '#workspace';
import { Commands } from '../commands/commands';
import { TheCall, type Call } from '../http/call';
import { DEFAULT_LIMIT, PageQuery } from '../http/page.query';
import { ApiController, Read, Write } from '../http/routes';
import { Things } from '../reads/things';
import { erasureAnswer, sentPage, subjectAnswer } from './subjects.dto';

const fail = errorsOf(subjectErrors);

interface SubjectView {
  readonly id: string;
  /** Nothing of it can be read any more. */
  readonly erased: boolean;
  readonly erasedAt: string | null;
  readonly events: number;
}

/** Those that personal data belongs to: people, keys that wrote, people who were invited, accounts. */
@ApiController('subjects', 'Personal data')
export class SubjectsController {
  private readonly subjects: SubjectsQuery;

  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
    @Inject(ENGINES) private readonly engines: Engines,
  ) {
    this.subjects = new SubjectsQuery(engines.db);
  }

  @Read(':id', {
    scope: 'admin',
    answer: subjectAnswer,
    errors: ['SUBJECT_NOT_FOUND'],
    summary: 'How much is stored of somebody, and whether it can be read',
  })
  async get(@Param('id') id: string, @TheCall() call: Call): Promise<SubjectView> {
    const { ids, keys } = await this.find(id, call);
    return this.view(id, ids, keys, call);
  }

  @Write(':id/erase', {
    scope: 'admin',
    answer: erasureAnswer,
    tagged: true,
    errors: ['SUBJECT_NOT_FOUND'],
    summary: 'Make everything personal of somebody unreadable, for ever; answers with what had been sent before',
  })
  async erase(
    @Param('id') id: string,
    @TheCall() call: Call,
  ): Promise<SubjectView & { sent: readonly SentView[]; nextCursor: string | null }> {
    const { ids, keys } = await this.find(id, call);
    const live = keys.filter(({ box }) => box !== null).map(({ subject, generation }) => ({ subject, generation }));
    // First the log, which the projector holds to as well; then the keys, also those of a run that did not get so far.
    const { state } = await this.commands.run(
      subjectAggregate,
      id,
      { type: 'EraseSubject', subjectId: id, keys: live },
      call,
    );
    if (state.status === 'erased') await this.engines.keys.destroy(call.workspace, state.keys, call.at);
    const { data: sent, nextCursor } = await this.sentOf(ids, {}, call);
    return { ...(await this.view(id, ids, (await this.find(id, call)).keys, call)), sent, nextCursor };
  }

  @Read(':id/sent', {
    scope: 'admin',
    query: PageQuery,
    answer: sentPage,
    errors: ['SUBJECT_NOT_FOUND'],
    summary: 'Webhooks that went out with personal data of somebody, newest first',
  })
  async sent(@Param('id') id: string, @Query() query: PageQuery, @TheCall() call: Call): Promise<Page<SentView>> {
    return this.sentOf((await this.find(id, call)).ids, query, call);
  }

  /** A person's data is also what was stored when they were invited, before they had an id. */
  private async find(id: string, call: Call): Promise<{ ids: string[]; keys: StoredKey[] }> {
    const { state: team } = await this.commands.load(teamAggregate, call.workspace, call.workspace);
    const invitations = allEntries(team.invitations).filter(([, { acceptedBy }]) => acceptedBy === id);
    const ids = [id, ...invitations.map(([inviteId]) => inviteId)];
    const keys = await this.engines.keys.of(call.workspace, ids);
    if (keys.length === 0) throw fail('SUBJECT_NOT_FOUND');
    return { ids, keys };
  }

  private async view(id: string, ids: readonly string[], keys: readonly StoredKey[], call: Call): Promise<SubjectView> {
    await this.things.caughtUp('audit', call.workspace, call.waitMs);
    const erasedAt = keys.reduce<string | null>(
      (last, { erasedAt: at }) => (at && at > (last ?? '') ? at : last),
      null,
    );
    return {
      id,
      erased: keys.every(({ box }) => box === null),
      erasedAt,
      events: await this.subjects.events(call.workspace, ids),
    };
  }

  private async sentOf(
    ids: readonly string[],
    { limit = DEFAULT_LIMIT, cursor }: PageQuery,
    call: Call,
  ): Promise<Page<SentView>> {
    await this.things.caughtUp('audit', call.workspace, call.waitMs);
    return this.subjects.sent(call.workspace, ids, { limit, cursor });
  }
}
