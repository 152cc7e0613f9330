import { ResponseReader } from './response-reader';

interface Read {
  status?: number;
  retryAfter?: string | undefined;
  body: string;
  isOver: boolean;
  isKept: boolean;
}

/** Reads a response that comes in these pieces, and whose sender then closes the connection when `closes`. */
function read(pieces: readonly string[], closes = false): Read {
  const said: { status?: number; retryAfter?: string | undefined; body: string } = { body: '' };
  const reader = new ResponseReader({
    onHeaders: (status, retryAfter) => Object.assign(said, { status, ...(retryAfter !== undefined && { retryAfter }) }),
    onData: (bytes) => (said.body += bytes.toString('latin1')),
  });
  for (const piece of pieces) reader.read(Buffer.from(piece, 'latin1'));
  if (closes) reader.close();
  return { ...said, isOver: reader.isOver, isKept: reader.isKept };
}

const OK = 'HTTP/1.1 200 OK\r\n';

describe('a response', () => {
  it.each([
    ['without a body', 'HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n', { status: 204, body: '', isKept: true }],
    ['with a length', `${OK}Content-Length:  5 \r\n\r\nhello`, { status: 200, body: 'hello', isKept: true }],
    ['of length nought', `${OK}content-length: 0\r\n\r\n`, { status: 200, body: '', isKept: true }],
    ['without a reason', 'HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx', { status: 200, body: 'x', isKept: true }],
    [
      'in chunks',
      `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA ;x=1\r\n0123456789\r\n0\r\nx: y\r\n\r\n`,
      { status: 200, body: 'abc0123456789', isKept: true },
    ],
    [
      'in chunks of what is coded otherwise before',
      `${OK}Transfer-Encoding: gzip, Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
      { status: 200, body: 'abc', isKept: true },
    ],
    [
      'behind informational ones',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok',
      { status: 201, body: 'ok', isKept: true },
    ],
    [
      'that says when to come again',
      'HTTP/1.1 429 Slow\r\nRETRY-AFTER: 7\r\ncontent-length: 0\r\n\r\n',
      { status: 429, retryAfter: '7', body: '', isKept: true },
    ],
    [
      'whose server closes',
      `${OK}connection: x, Close\r\ncontent-length: 1\r\n\r\nx`,
      { status: 200, body: 'x', isKept: false },
    ],
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx', { status: 200, body: 'x', isKept: false }],
    [
      'without a body, of length nought',
      'HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n',
      { status: 204, body: '', isKept: true },
    ],
    [
      'without a body, with the length that one would have',
      'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n',
      { status: 304, body: '', isKept: true },
    ],
    [
      'that may have no body and says how long it is',
      'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n',
      { status: 204, body: '', isKept: false },
    ],
    [
      'that may have no body and comes in chunks',
      'HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n',
      { status: 204, body: '', isKept: false },
    ],
    ['with bytes too many', `${OK}content-length: 1\r\n\r\nxyz`, { status: 200, body: 'x', isKept: false }],
  ])('%s is the same however it is cut', (_name, text, expected) => {
    for (let cut = 1; cut < text.length; cut++)
      expect(read([text.slice(0, cut), text.slice(cut)])).toEqual({ ...expected, isOver: true });
    expect(read([...text])).toEqual({ ...expected, isOver: true });
  });

  it('without a length goes on until its sender closes', () => {
    expect(read([`${OK}\r\nso`, 'me'])).toEqual({ status: 200, body: 'some', isOver: false, isKept: false });
    expect(read([`${OK}\r\nso`, 'me'], true)).toMatchObject({ body: 'some', isOver: true });
  });

  it.each(['gzip', 'chunked, gzip', 'xchunked', ''])(
    'goes on until its sender closes when its last coding is %j, not chunks',
    (coding) => {
      const text = `${OK}transfer-encoding: ${coding}\r\n\r\n1\r\na\r\n0\r\n\r\n`;
      const body = '1\r\na\r\n0\r\n\r\n';
      expect(read([text])).toEqual({ status: 200, body, isOver: false, isKept: false });
      expect(read([text], true)).toEqual({ status: 200, body, isOver: true, isKept: false });
    },
  );

  it('says no more of when to come again than a header of two hundred characters', () =>
    expect(read([`HTTP/1.1 503 Later\r\nretry-after: ${'1'.repeat(300)}\r\n\r\n`])).toMatchObject({
      retryAfter: '1'.repeat(200),
    }));

  it.each([`${OK}content-length: 3\r\n\r\nab`, `${OK}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n`, `${OK}x-y`])(
    'is not over when its sender closes too early (%j)',
    (text) => expect(read([text], true).isOver).toBe(false),
  );

  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['no status', 'HTTP/1.1 OK\r\n\r\n'],
    ['a status below all', 'HTTP/1.1 099 No\r\n\r\n'],
    ['a status above all', 'HTTP/1.1 600 No\r\n\r\n'],
    ['a switch of protocols', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n'],
    ['a header without a name', `${OK}: x\r\n\r\n`],
    ['a header with a space before its colon', `${OK}content-length : 5\r\n\r\n`],
    ['a folded header', `${OK}x: y\r\n z\r\n\r\n`],
    ['a bare line feed in a header', `${OK}x: y\ncontent-length: 5\r\n\r\n`],
    ['a length that is none', `${OK}content-length: -1\r\n\r\n`],
    ['two lengths', `${OK}content-length: 1\r\ncontent-length: 2\r\n\r\n`],
    ['a length and chunks', `${OK}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`],
    ['a chunk without a size', `${OK}transfer-encoding: chunked\r\n\r\nx\r\n`],
    ['a chunk that is longer than it said', `${OK}transfer-encoding: chunked\r\n\r\n1\r\nabc\r\n`],
    ['a chunk size that never ends', `${OK}transfer-encoding: chunked\r\n\r\n1;${'x'.repeat(2_000)}`],
    ['trailers that never end', `${OK}transfer-encoding: chunked\r\n\r\n0\r\n${'x: y\r\n'.repeat(4_000)}`],
    ['headers that never end', `${OK}${'x: y\r\n'.repeat(4_000)}`],
    ['one header that never ends', `${OK}x: ${'y'.repeat(20_000)}`],
    ['informational answers that never end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1_000)],
  ])('is refused with %s', (_name, text) => expect(() => read([text])).toThrow('The response '));

  it('of many spaces is read as fast as another: a hundred within the time that a test may take', async () => {
    const response = `${OK}x: a${' '.repeat(15_000)}y\r\ncontent-length: 0\r\n\r\n`;
    for (let times = 0; times < 100; times++) {
      expect(read([response])).toMatchObject({ status: 200, isKept: true });
      await new Promise((next) => setImmediate(next));
    }
  }, 10_000);
});
