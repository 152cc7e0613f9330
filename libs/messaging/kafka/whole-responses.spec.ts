import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { inWholeResponses } from './whole-responses';

const response = (text: string): Buffer => {
  const size = Buffer.alloc(4);
  size.writeInt32BE(text.length);
  return Buffer.concat([size, Buffer.from(text)]);
};
const ALL = Buffer.concat(['first', '', 'the third'].map(response));

/** What is heard of these pieces, each time. */
function heardOf(pieces: readonly Buffer[]): string[] {
  const heard: string[] = [];
  const plain = new EventEmitter() as unknown as Socket;
  const socket = inWholeResponses(() => plain)({ host: 'h', port: 1, ssl: {}, onConnect: () => undefined });
  socket.on('data', (data) => heard.push(data.toString('latin1')));
  for (const piece of pieces) plain.emit('data', piece);
  return heard;
}

describe('a socket in whole responses', () => {
  it('hands on every response as it came, wherever it is cut in two', () => {
    for (let at = 0; at <= ALL.length; at++) {
      const heard = heardOf([ALL.subarray(0, at), ALL.subarray(at)]);
      expect([at, heard.join('')]).toEqual([at, ALL.toString('latin1')]);
    }
  });

  it('hands on each once it is whole, and what came with it, byte by byte or at once', () => {
    const bytes = Array.from(ALL, (_, at) => ALL.subarray(at, at + 1));
    expect(heardOf(bytes)).toEqual(['first', '', 'the third'].map((text) => response(text).toString('latin1')));
    expect(heardOf([ALL])).toEqual([ALL.toString('latin1')]);
  });

  it('keeps to itself what a lost connection had begun', () => {
    for (let at = 0; at < response('first').length; at++) expect(heardOf([ALL.subarray(0, at)])).toEqual([]);
    expect(heardOf([ALL.subarray(0, ALL.length - 1)]).join('')).toBe(ALL.subarray(0, 13).toString('latin1'));
  });

  it('does not go round for ever at a size that is none', () => {
    expect(heardOf([Buffer.alloc(4, 0xff)])).toHaveLength(1);
  });

  it('leaves every other event as it is', () => {
    const plain = new EventEmitter() as unknown as Socket;
    const socket = inWholeResponses(() => plain)({ host: 'h', port: 1, ssl: {}, onConnect: () => undefined });
    const ends = jest.fn();
    socket.on('end', ends);
    plain.emit('end');
    expect(ends).toHaveBeenCalledTimes(1);
  });
});
