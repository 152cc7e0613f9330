import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { presentContent, type ContentView, type Page } from '#read-models';
import { contentAggregate, contentErrors } from '#studio';
import { Commands } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { Name, Text, TextList } from '../http/fields';
import { PageQuery, RevisionQuery } from '../http/page.query';
import { newThingId } from '../http/path-id';
import { ApiController, Read } from '../http/routes';
import { Command, ReadOne } from '../http/thing-routes';
import { answer, erased, list, nullable, object, oneOf, pageOf, text } from '../openapi/schema';
import { Things } from '../reads/things';

export class AdaptContent {
  @Name({ example: 'emea/nordics' })
  region!: string;

  @Text({ max: 35, example: 'da-DK' })
  locale!: string;

  @TextList({ max: 100, length: 2_000, optional: true, description: 'Any: a person has to look at it' })
  reasons?: string[];
}

export class ContentQuery extends PageQuery {
  @Name({ optional: true })
  region?: string;
}

const adaptation = object({
  region: text,
  locale: text,
  status: oneOf('adapted', 'review_required'),
  reasons: nullable(list(text)),
  ...erased,
});
const contentAnswer = answer(
  'Content',
  'The newest adaptation for each region and locale',
  object({ id: text, adaptations: list(adaptation), ...erased }),
);
const contentPage = pageOf(contentAnswer);

const absent = () => errorsOf(contentErrors)('CONTENT_NOT_FOUND');
const shown = shownBy(presentContent, absent);

@ApiController('content', 'Studio')
export class ContentController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  @Command(':id/adaptation', {
    body: AdaptContent,
    answer: contentAnswer,
    errors: ['CONTENT_FULL'],
    summary: 'It was adapted to a culture, or needs a person to look',
  })
  async adapt(
    @Param('id') id: string,
    @Body() { region, locale, reasons = [] }: AdaptContent,
    @TheCall() call: Call,
  ): Promise<ContentView> {
    const contentId = newThingId('cnt', id);
    const { state } = await this.commands.run(
      contentAggregate,
      contentId,
      { type: 'AdaptContent', contentId, region, locale, reasons },
      call,
    );
    return shown(state);
  }

  @Read('', { scope: 'read', query: ContentQuery, answer: contentPage, summary: 'List content, newest first' })
  list(@Query() query: ContentQuery, @TheCall() call: Call): Promise<Page<ContentView>> {
    return this.things.list(this.things.models.content, { ...query }, call);
  }

  @ReadOne(':id', { answer: contentAnswer, absent: 'CONTENT_NOT_FOUND', summary: 'One piece of content' })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<ContentView> {
    return this.things.get(this.things.models.content, id, absent, call, minRevision);
  }
}
