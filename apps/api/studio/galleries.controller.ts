import { Body, Param, Query } from '@nestjs/common';
import { errorsOf } from '#kernel';
import { presentGallery, type GalleryView, type Page } from '#read-models';
import { galleryAggregate, galleryErrors } from '#studio';
import { Commands } from '../commands/commands';
import { shownBy } from '../commands/shown';
import { TheCall, type Call } from '../http/call';
import { Name, TextList } from '../http/fields';
import { PageQuery, RevisionQuery } from '../http/page.query';
import { newThingId } from '../http/path-id';
import { ApiController, Read } from '../http/routes';
import { Command, ReadOne } from '../http/thing-routes';
import { answer, list, object, pageOf, text } from '../openapi/schema';
import { Things } from '../reads/things';

export class UpdateGallery {
  @Name({ example: 'emea/nordics' })
  region!: string;

  @TextList({ max: 1_000, length: 200 })
  added!: string[];

  @TextList({ max: 1_000, length: 200 })
  removed!: string[];
}

export class GalleriesQuery extends PageQuery {
  @Name({ optional: true })
  region?: string;
}

const galleryAnswer = answer('Gallery', 'The gallery', object({ id: text, region: text, items: list(text) }));
const galleryPage = pageOf(galleryAnswer);

const absent = () => errorsOf(galleryErrors)('GALLERY_NOT_FOUND');
const shown = shownBy(presentGallery, absent);

@ApiController('galleries', 'Studio')
export class GalleriesController {
  constructor(
    private readonly commands: Commands,
    private readonly things: Things,
  ) {}

  @Command(':id/update', {
    body: UpdateGallery,
    answer: galleryAnswer,
    errors: ['GALLERY_FULL'],
    summary: 'Add to it and take from it',
  })
  async update(
    @Param('id') id: string,
    @Body() { region, added, removed }: UpdateGallery,
    @TheCall() call: Call,
  ): Promise<GalleryView> {
    const galleryId = newThingId('gal', id);
    const { state } = await this.commands.run(
      galleryAggregate,
      galleryId,
      { type: 'UpdateGallery', galleryId, region, added, removed },
      call,
    );
    return shown(state);
  }

  @Read('', { scope: 'read', query: GalleriesQuery, answer: galleryPage, summary: 'List galleries, newest first' })
  list(@Query() query: GalleriesQuery, @TheCall() call: Call): Promise<Page<GalleryView>> {
    return this.things.list(this.things.models.galleries, { ...query }, call);
  }

  @ReadOne(':id', { answer: galleryAnswer, absent: 'GALLERY_NOT_FOUND', summary: 'One gallery' })
  get(@Param('id') id: string, @Query() { minRevision }: RevisionQuery, @TheCall() call: Call): Promise<GalleryView> {
    return this.things.get(this.things.models.galleries, id, absent, call, minRevision);
  }
}
