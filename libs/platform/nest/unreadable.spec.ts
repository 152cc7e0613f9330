import type { Socket } from 'node:net';
import { refuseUnreadable } from './unreadable';

/** What is written to a socket, and what becomes of it. */
function answered(code: string, writable = true): { text: string; destroyed: boolean } {
  const seen = { text: '', destroyed: false };
  const socket = {
    writable,
    end: (text: string, done: () => void) => ((seen.text = text), done()),
    destroy: () => (seen.destroyed = true),
  };
  refuseUnreadable({ code }, socket as unknown as Socket);
  return seen;
}

describe('a request that cannot be read', () => {
  it.each([
    ['HPE_INVALID_METHOD', 400, 'VALIDATION_FAILED'],
    ['HPE_HEADER_OVERFLOW', 431, 'HEADERS_TOO_LARGE'],
    ['ERR_HTTP_REQUEST_TIMEOUT', 408, 'REQUEST_TIMEOUT'],
  ])('is answered with a problem, and is the last on its connection: %s', (error, status, code) => {
    const { text, destroyed } = answered(error);
    const [head = '', body = ''] = text.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*\r\ncontent-type: application/problem\\+json`));
    expect(head).toContain(`content-length: ${Buffer.byteLength(body)}`);
    expect(JSON.parse(body)).toMatchObject({ status, code });
    expect(destroyed).toBe(true);
  });

  it('is not answered when nobody is left to hear', () => {
    expect(answered('ECONNRESET')).toEqual({ text: '', destroyed: true });
    expect(answered('HPE_INVALID_METHOD', false)).toEqual({ text: '', destroyed: true });
  });
});
