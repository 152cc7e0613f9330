import { Body, Inject, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { ENGINES, type Engines } from '#platform';
import { campaignAggregate, postAggregate, postErrors, PUBLISH_RETRY_DELAYS_MS, type Outcome } from '#publishing';
import { presentPost, presentPostResults, type Page, type PostResultsView, type PostView } from '#read-models';
import { Commands } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { RevisionQuery } from '../http/page.query';
import { ApiController, Read, Write } from '../http/routes';
import { Command, Create, ReadOne } from '../http/thing-routes';
import { Things } from '../reads/things';
import { CancelPost, PostsQuery, ReportOutcome, ReschedulePost, RetryPost, SchedulePost } from './posts.dto';
import { postAnswer, postPage, postResultsAnswer } from './posts.schema';
import { PostScheduling } from './post-scheduling';

const fail = errorsOf(postErrors);
const absent = () => fail('POST_NOT_FOUND');
const shown = shownBy(presentPost, absent);

@ApiController('posts', 'Posts')
export class PostsController {
  constructor(
    private readonly commands: Commands,
    private readonly scheduling: PostScheduling,
    private readonly things: Things,
    @Inject(ENGINES) private readonly engines: Engines,
  ) {}

  @Create('', {
    body: SchedulePost,
    answer: postAnswer,
    errors: [
      'POST_ALREADY_EXISTS',
      'PUBLISH_TIME_PASSED',
      'ACCOUNT_UNKNOWN',
      'ACCOUNT_PLATFORM_MISMATCH',
      'ACCOUNT_NOT_CONNECTED',
      'CAMPAIGN_UNKNOWN',
      'CAMPAIGN_CLOSED',
    ],
    summary: 'Schedule a post',
  })
  async schedule(@Body() body: SchedulePost, @TheCall() call: Call): Promise<PostView> {
    return shown(await this.scheduling.schedule(body, call));
  }

  @Read('', { scope: 'read', query: PostsQuery, answer: postPage, summary: 'List posts, newest first' })
  list(@Query() query: PostsQuery, @TheCall() call: Call): Promise<Page<PostView>> {
    return this.things.list(this.things.models.posts, { ...query }, call);
  }

  @ReadOne(':id', { answer: postAnswer, absent: 'POST_NOT_FOUND', summary: 'One post' })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<PostView> {
    return this.things.get(this.things.models.posts, id, absent, call, minRevision);
  }

  @ReadOne(':id/results', {
    answer: postResultsAnswer,
    absent: 'POST_NOT_FOUND',
    summary: 'What became of each destination',
  })
  async results(
    @Param('id') id: string,
    @Query() { minRevision }: RevisionQuery,
    @TheCall() call: Call,
  ): Promise<PostResultsView> {
    const { state } = await this.things.see(this.things.models.posts, id, absent, call, minRevision);
    return presentPostResults(state);
  }

  @Command(':id/reschedule', {
    body: ReschedulePost,
    answer: postAnswer,
    errors: ['POST_NOT_FOUND', 'POST_NOT_RESCHEDULABLE', 'PUBLISH_TIME_PASSED'],
    summary: 'Publish at another time',
  })
  async reschedule(
    @Param('id') id: string,
    @Body() { scheduledAt }: ReschedulePost,
    @TheCall() call: Call,
  ): Promise<PostView> {
    return shown((await this.commands.run(postAggregate, id, { type: 'ReschedulePost', scheduledAt }, call)).state);
  }

  @Command(':id/cancel', {
    body: CancelPost,
    answer: postAnswer,
    errors: ['POST_NOT_FOUND', 'POST_NOT_CANCELLABLE'],
    summary: 'Do not publish',
  })
  async cancel(
    @Param('id') id: string,
    @Body() { reason = null }: CancelPost,
    @TheCall() call: Call,
  ): Promise<PostView> {
    return shown((await this.commands.run(postAggregate, id, { type: 'CancelPost', reason }, call)).state);
  }

  @Command(':id/retry', {
    body: RetryPost,
    answer: postAnswer,
    errors: [
      'POST_NOT_FOUND',
      'DESTINATION_NOT_FOUND',
      'DESTINATION_NOT_FAILED',
      'NOTHING_TO_RETRY',
      'POST_STILL_PUBLISHING',
    ],
    summary: 'Try failed destinations again',
  })
  async retry(
    @Param('id') id: string,
    @Body() { destinationIds = [] }: RetryPost,
    @TheCall() call: Call,
  ): Promise<PostView> {
    const retried = await this.commands.run(postAggregate, id, { type: 'RetryPost', destinationIds }, call);
    const { state } = retried;
    const post = shown(state);
    // The policy would say so too, but a close that comes right after this answer must not overtake it.
    if (state.status !== 'absent' && state.campaignId !== null)
      await this.commands.also(
        campaignAggregate,
        state.campaignId,
        { type: 'ReopenPost', campaignId: state.campaignId, postId: id, round: state.round },
        call,
        retried,
      );
    return post;
  }

  @Write(':id/destinations/:destinationId/outcome', {
    scope: 'publish',
    body: ReportOutcome,
    answer: postAnswer,
    tagged: true,
    errors: ['POST_NOT_FOUND', 'DESTINATION_NOT_FOUND', 'POST_NOT_DUE', 'OUTCOME_CONTRADICTED'],
    summary: 'Report what a network answered',
  })
  async report(
    @Param('id') id: string,
    @Param('destinationId') destinationId: string,
    @Body() body: ReportOutcome,
    @TheCall() call: Call,
  ): Promise<PostView> {
    const retryDelaysMs = PUBLISH_RETRY_DELAYS_MS.map((ms) => ms * this.engines.settings.retryScale);
    const report = {
      type: 'ReportOutcome',
      destinationId,
      attempt: body.attempt ?? null,
      outcome: outcomeOf(body),
      retryDelaysMs,
    } as const;
    return shown((await this.commands.run(postAggregate, id, report, call)).state);
  }
}

/** The input was checked: what belongs to its outcome is there. */
const outcomeOf = ({ outcome, platformPostId, url, error, retryable }: ReportOutcome): Outcome =>
  outcome === 'published'
    ? { ok: true, platformPostId: platformPostId!, url: url! }
    : { ok: false, errorCode: error!.code, error: error!.message, retryable: retryable! };
