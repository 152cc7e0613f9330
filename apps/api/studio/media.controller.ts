import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { presentMedia, type MediaView, type Page } from '#read-models';
import { mediaAggregate, mediaErrors } from '#studio';
import { Commands } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { Id, OneOf, Text, Whole, wordsOf } from '../http/fields';
import { PageQuery, RevisionQuery } from '../http/page.query';
import { ApiController, Read } from '../http/routes';
import { Command, Create, ReadOne } from '../http/thing-routes';
import { answer, nullable, object, oneOf, pageOf, text, whole } from '../openapi/schema';
import { Things } from '../reads/things';

const STATUSES = wordsOf<MediaView['status']>({ added: true, processed: true });

export class AddMedia {
  @Id('med', { optional: true })
  id?: string;

  @Text({ max: 50, example: 'image' })
  kind!: string;

  @Text({ max: 2_048, optional: true, nullable: true })
  url?: string | null;

  @Whole({ optional: true, nullable: true })
  bytes?: number | null;
}

export class MediaProcessed {
  @Text({ max: 2_048 })
  url!: string;

  @Whole()
  bytes!: number;
}

export class MediaQuery extends PageQuery {
  @Text({ max: 50, optional: true })
  kind?: string;

  @OneOf(STATUSES, { optional: true })
  status?: string;
}

const mediaAnswer = answer(
  'Media',
  'The medium',
  object({ id: text, kind: text, status: oneOf(...STATUSES), url: nullable(text), bytes: nullable(whole) }),
);
const mediaPage = pageOf(mediaAnswer);

const fail = errorsOf(mediaErrors);
const absent = () => fail('MEDIA_NOT_FOUND');
const shown = shownBy(presentMedia, absent);

@ApiController('media', 'Studio')
export class MediaController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  @Create('', {
    body: AddMedia,
    answer: mediaAnswer,
    errors: ['MEDIA_ALREADY_EXISTS'],
    summary: 'Add a medium',
  })
  async add(@Body() { id, kind, url = null, bytes = null }: AddMedia, @TheCall() call: Call): Promise<MediaView> {
    const mediaId = id ?? call.newId('med');
    return shown(
      (await this.commands.run(mediaAggregate, mediaId, { type: 'AddMedia', mediaId, kind, url, bytes }, call)).state,
    );
  }

  @Read('', { scope: 'read', query: MediaQuery, answer: mediaPage, summary: 'List media, newest first' })
  list(@Query() query: MediaQuery, @TheCall() call: Call): Promise<Page<MediaView>> {
    return this.things.list(this.things.models.media, { ...query }, call);
  }

  @ReadOne(':id', { answer: mediaAnswer, absent: 'MEDIA_NOT_FOUND', summary: 'One medium' })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<MediaView> {
    return this.things.get(this.things.models.media, id, absent, call, minRevision);
  }

  @Command(':id/processed', {
    body: MediaProcessed,
    answer: mediaAnswer,
    errors: ['MEDIA_NOT_FOUND', 'MEDIA_ALREADY_PROCESSED'],
    summary: 'The medium is ready',
  })
  async processed(
    @Param('id') id: string,
    @Body() { url, bytes }: MediaProcessed,
    @TheCall() call: Call,
  ): Promise<MediaView> {
    return shown((await this.commands.run(mediaAggregate, id, { type: 'MarkMediaProcessed', url, bytes }, call)).state);
  }
}
