import { instant } from '#kernel';
import { scenariosOf } from '#testing';
import { mediaDecider, type MediaCommand } from './media.decider';
import type { MediaEvent } from './media.events';

const { given } = scenariosOf(mediaDecider);
const stamp = { at: instant('2026-04-22T12:00:00.000Z'), actor: 'key_1' };
const medium = { mediaId: 'med_1', kind: 'image', url: null, bytes: null };
const ready = { url: 'https://cdn.example/1.jpg', bytes: 2048 };
const add: MediaCommand = { ...stamp, type: 'AddMedia', ...medium };
const process: MediaCommand = { ...stamp, type: 'MarkMediaProcessed', ...ready };
const added: MediaEvent = { type: 'MediaAdded', data: medium };
const processed: MediaEvent = { type: 'MediaProcessed', data: { mediaId: 'med_1', kind: 'image', ...ready } };

describe('a medium', () => {
  it('is added once', () => {
    given().when(add).then(added);
    given(added).when(add).fails('MEDIA_ALREADY_EXISTS');
  });
  it('is processed, and keeps its kind', () => given(added).when(process).then(processed));
  it('is processed once', () => given(added, processed).when(process).fails('MEDIA_ALREADY_PROCESSED'));
  it('must exist', () => given().when(process).fails('MEDIA_NOT_FOUND'));
});
