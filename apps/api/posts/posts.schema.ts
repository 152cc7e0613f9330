import { answer, erased, list, nullable, object, oneOf, pageOf, personal, text, time, whole } from '../openapi/schema';
import { DESTINATION_STATUSES, POST_STATUSES } from './posts.dto';

const status = oneOf(...POST_STATUSES);
const destination = { id: text, accountId: text, platform: text, status: oneOf(...DESTINATION_STATUSES) };

export const postAnswer = answer(
  'Post',
  'The post',
  object({
    id: text,
    status,
    profileId: text,
    content: object({ text: personal, mediaIds: list(text) }),
    scheduledAt: time,
    campaignId: nullable(text),
    destinations: list(object(destination)),
    ...erased,
  }),
);
export const postPage = pageOf(postAnswer);
export const postResultsAnswer = answer(
  'PostResults',
  'What became of each destination',
  object({
    postId: text,
    status,
    destinations: list(
      object({
        ...destination,
        'url?': text,
        'platformPostId?': text,
        'error?': text,
        'errorCode?': text,
        attempts: whole,
      }),
    ),
  }),
);
