import { coreType, count, id, list, nullable, oneOf, optional, shape, text } from '../core-type';

const operation = { operationId: id('op'), region: optional(text()) };
const started = () => shape(operation);
const completed = () => shape({ ...operation, url: optional(text()) });
const failed = () => shape({ ...operation, error: optional(text('A sentence')) });

export const operations = {
  'image.generation_started': coreType({
    topic: 'studio',
    description: 'The generation of an image began.',
    data: started(),
    example: { operationId: 'op_img1' },
    exampleKey: 'op_img1',
  }),
  'image.generation_completed': coreType({
    topic: 'studio',
    description: 'An image is generated.',
    data: completed(),
    example: { operationId: 'op_img1', url: 'https://cdn.example.com/op_img1.png' },
    exampleKey: 'op_img1',
  }),
  'image.generation_failed': coreType({
    topic: 'studio',
    description: 'The generation of an image failed.',
    data: failed(),
    example: { operationId: 'op_img1', error: 'The prompt was refused' },
    exampleKey: 'op_img1',
  }),
  'video.processing_started': coreType({
    topic: 'studio',
    description: 'The processing of a video began.',
    data: started(),
    example: { operationId: 'op_vid1' },
    exampleKey: 'op_vid1',
  }),
  'video.processing_completed': coreType({
    topic: 'studio',
    description: 'A video is processed.',
    data: completed(),
    example: { operationId: 'op_vid1', url: 'https://cdn.example.com/op_vid1.mp4' },
    exampleKey: 'op_vid1',
  }),
  'video.processing_failed': coreType({
    topic: 'studio',
    description: 'The processing of a video failed.',
    data: failed(),
    example: { operationId: 'op_vid1', error: 'The codec is not supported' },
    exampleKey: 'op_vid1',
  }),
  'batch.progressed': coreType({
    topic: 'studio',
    description: 'A batch operation made progress.',
    data: shape({ ...operation, done: count(), failed: count(), total: count() }),
    example: { operationId: 'op_batch1', region: 'eu-south', done: 40, failed: 1, total: 100 },
    exampleKey: 'op_batch1',
  }),
  'operation.failed': coreType({
    topic: 'studio',
    description: 'Any operation failed; also sent beside the failure type of its own kind.',
    data: shape({
      operationId: id('op'),
      kind: oneOf('image', 'video', 'batch', 'location_content', 'location_recommendations', 'campaign_generation'),
      error: shape({ code: text(), message: text('A sentence'), detail: nullable(text()) }),
    }),
    example: {
      operationId: 'op_img1',
      kind: 'image',
      error: { code: 'prompt_refused', message: 'The prompt was refused', detail: null },
    },
    exampleKey: 'op_img1',
  }),
  'location_content.completed': coreType({
    topic: 'studio',
    description: 'Content for a location is generated.',
    data: shape({ operationId: id('op'), region: nullable(text()), contentId: id('cnt') }),
    example: { operationId: 'op_loc1', region: 'jp-kansai', contentId: 'cnt_1' },
    exampleKey: 'op_loc1',
  }),
  'location.recommendations_ready': coreType({
    topic: 'studio',
    description: 'Recommended content for a location is ready.',
    data: shape({ operationId: id('op'), region: nullable(text()), contentIds: list(text()) }),
    example: { operationId: 'op_loc2', region: 'jp-kansai', contentIds: ['cnt_1', 'cnt_2'] },
    exampleKey: 'op_loc2',
  }),
};
