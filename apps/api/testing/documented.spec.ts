import { judgeBy, judgeByReference, type Answered } from './documented';

const document = {
  paths: {
    '/things/{id}': {
      get: {
        responses: {
          200: {
            headers: { ETag: {} },
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
          },
          404: { content: { 'application/problem+json': { schema: { type: 'object', required: ['code'] } } } },
        },
      },
      delete: { responses: { 204: {} } },
    },
    '/things/all': { get: { responses: { 200: { content: { 'text/csv': { schema: {} } } } } } },
  },
  components: {
    schemas: {
      Thing: {
        type: 'object',
        properties: { id: { type: 'string' }, at: { type: 'string', format: 'date-time' } },
        required: ['id'],
        additionalProperties: false,
      },
    },
  },
};

describe('an answer', () => {
  const judge = judgeBy(document);
  const json = 'application/json';
  const got = (more: Partial<Answered>): Answered => ({
    method: 'GET',
    path: '/things/1?limit=2',
    status: 200,
    mediaType: json,
    body: { id: '1' },
    ...more,
  });

  it.each<[string, Partial<Answered>]>([
    ['has every field that must be there', {}],
    ['has an ETag that may come', { etag: '"3"' }],
    ['has one that may', { body: { id: '1', at: '2026-05-01T10:00:00.000Z' } }],
    ['is a problem', { status: 404, mediaType: 'application/problem+json', body: { code: 'X' } }],
    ['has no body, where none is told of', { method: 'DELETE', status: 204, mediaType: '', body: undefined }],
    ['is of a path that is spelled out', { path: '/things/all', mediaType: 'text/csv', body: undefined }],
    ['is of no route', { path: '/nothing', body: { any: 1 } }],
  ])('is as the document says when it %s', (_, more) => expect(judge(got(more))).toBeUndefined());

  it.each<[string, Partial<Answered>, RegExp]>([
    ['lacks a field', { body: {} }, /required property 'id'/],
    ['has one too many', { body: { id: '1', more: 1 } }, /additional properties/],
    ['has another kind of value', { body: { id: 1 } }, /id must be string/],
    ['has a time that is none', { body: { id: '1', at: 'noon' } }, /format "date-time"/],
    ['has a status that is not told of', { status: 409 }, /^409 is not described$/],
    ['is of another media type', { mediaType: 'text/html', body: undefined }, /^200 is not described as text\/html$/],
    [
      'has an ETag where none is told of',
      { method: 'DELETE', status: 204, mediaType: '', etag: '"3"' },
      /with an ETag$/,
    ],
    [
      'has a body where none is told of',
      { method: 'DELETE', status: 204 },
      /^204 is not described as application\/json$/,
    ],
  ])('is not when it %s', (_, more, why) => expect(judge(got(more))).toMatch(why));

  it('is held against the reference of the api', () => {
    const page = { method: 'GET', path: '/api/v1/posts', status: 200, mediaType: json };
    expect(judgeByReference()({ ...page, body: { data: [], nextCursor: null } })).toBeUndefined();
    expect(judgeByReference()({ ...page, body: { data: [{}], nextCursor: null } })).toMatch(/required property 'id'/);
  });
});
