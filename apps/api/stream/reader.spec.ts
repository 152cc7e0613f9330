import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Reader } from './reader';

class Response extends EventEmitter {
  readonly texts: string[] = [];
  readonly writableLength = 0;
  isCut = false;
  write = (text: string): number => this.texts.push(text);
  end = this.write;
  destroy = (): void => void (this.isCut = true);
}

it('says why it ends, is told nothing after that, and is cut off when it takes nothing', () => {
  jest.useFakeTimers();
  const response = new Response();
  let ended = 0;
  const reader = new Reader('ws_1', 0, 'k', response as unknown as ServerResponse, () => ended++);
  reader.close('slow');
  reader.close('shutdown');
  reader.send('more');
  expect(response.texts).toEqual(['event: stream.dropped\ndata: {"reason":"slow"}\n\n']);
  expect(response.isCut).toBe(false);
  jest.runAllTimers();
  expect(response.isCut).toBe(true);
  response.emit('close');
  expect(ended).toBe(1);
  jest.useRealTimers();
});
