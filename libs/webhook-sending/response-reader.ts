/** Who is told of a response while it comes in. */
export interface ResponseHearer {
  /** The final status, not an informational one. */
  onHeaders(statusCode: number, retryAfter: string | undefined): void;
  onData(bytes: Buffer): void;
}

/** Status lines, headers and trailers, all together. */
const MAX_HEAD_BYTES = 16_384;
/** The size of a chunk with its extensions. */
const MAX_CHUNK_LINE_BYTES = 1_024;
const MORE = -1;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: .*)?$/;
const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):(.*)$/;
const CHUNK_LINE = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i;
const LENGTH = /^\d{1,15}$/;

type Part = 'head' | 'length' | 'chunk line' | 'chunk' | 'chunk end' | 'trailers' | 'until close' | 'over';

/**
 * Reads one HTTP/1.1 response (RFC 9112) as its bytes come in, however they are cut. It is strict: what a lenient reader would have
 * to guess at is an error, and whatever casts doubt on where the response ends leaves `isKept` false.
 */
export class ResponseReader {
  /** Whether the connection may be used again, once the response is over. */
  isKept = true;
  /** Seconds for which the server says it keeps an idle connection. */
  keptSeconds: number | undefined;
  private part: Part = 'head';
  private pending: Buffer | undefined;
  private headBytes = 0;
  /** Of the body or of the present chunk. */
  private left = 0;

  constructor(private readonly hearer: ResponseHearer) {}

  get isOver(): boolean {
    return this.part === 'over';
  }

  /** Throws an Error that says what is wrong with the response. */
  read(bytes: Buffer): void {
    let rest = this.pending ? Buffer.concat([this.pending, bytes]) : bytes;
    this.pending = undefined;
    while (rest.length > 0) {
      if (this.part === 'over') {
        this.isKept = false;
        return;
      }
      const used = this.step(rest);
      if (used === MORE) {
        this.pending = rest;
        return;
      }
      rest = rest.subarray(used);
    }
  }

  /** The other side has closed the connection: whether that was the end of the response. */
  close(): boolean {
    if (this.part === 'until close') this.part = 'over';
    return this.isOver;
  }

  /** How many bytes it took, or MORE when it needs some that have yet to come. */
  private step(bytes: Buffer): number {
    switch (this.part) {
      case 'head':
        return this.head(bytes);
      case 'length':
        return this.body(bytes, 'over');
      case 'chunk line':
        return this.line(bytes, MAX_CHUNK_LINE_BYTES, (line) => {
          const size = CHUNK_LINE.exec(line)?.[1];
          if (size === undefined) throw new Error('The response has a chunk without a size');
          this.left = parseInt(size, 16);
          this.part = this.left === 0 ? 'trailers' : 'chunk';
        });
      case 'chunk':
        return this.body(bytes, 'chunk end');
      case 'chunk end':
        return this.line(bytes, 0, () => (this.part = 'chunk line'));
      case 'trailers':
        return this.line(bytes, MAX_HEAD_BYTES - this.headBytes, (line) => {
          this.headBytes += line.length + 2;
          if (line === '') this.part = 'over';
        });
      case 'until close':
        this.hearer.onData(bytes);
        return bytes.length;
      case 'over':
        return MORE;
    }
  }

  private body(bytes: Buffer, then: Part): number {
    const piece = bytes.length > this.left ? bytes.subarray(0, this.left) : bytes;
    this.left -= piece.length;
    if (this.left === 0) this.part = then;
    this.hearer.onData(piece);
    return piece.length;
  }

  private line(bytes: Buffer, most: number, take: (line: string) => void): number {
    const end = bytes.indexOf('\r\n');
    if (end > most || (end < 0 && bytes.length > most + 1)) throw new Error('The response has a line that is too long');
    if (end < 0) return MORE;
    take(bytes.toString('latin1', 0, end));
    return end + 2;
  }

  private head(bytes: Buffer): number {
    const end = bytes.indexOf('\r\n\r\n');
    if (!'HTTP/1.'.startsWith(bytes.toString('latin1', 0, Math.min(7, bytes.length))))
      throw new Error('The response is not HTTP/1.1');
    if (this.headBytes + (end < 0 ? bytes.length : end) > MAX_HEAD_BYTES)
      throw new Error('The response has too many headers');
    if (end < 0) return MORE;
    this.headBytes += end + 4;
    this.understand(bytes.toString('latin1', 0, end).split('\r\n'));
    return end + 4;
  }

  private understand(lines: readonly string[]): void {
    const [, minor, status] = STATUS_LINE.exec(lines[0]!) ?? [];
    if (status === undefined) throw new Error('The response has no status line');
    const statusCode = Number(status);
    const headers = headersOf(lines);
    if (statusCode === 101) throw new Error('The response switches protocols');
    if (statusCode < 200) return;
    const connection = headers.connection?.toLowerCase() ?? '';
    if (minor === '0' || /(?:^|[ ,])close(?:$|[ ,])/.test(connection)) this.isKept = false;
    const kept = /timeout=(\d{1,6})/i.exec(headers['keep-alive'] ?? '')?.[1];
    if (kept !== undefined) this.keptSeconds = Number(kept);
    this.frame(statusCode, headers);
    this.hearer.onHeaders(statusCode, headers['retry-after']?.slice(0, 200));
  }

  /** Where the body ends (RFC 9112, 6.3). */
  private frame(statusCode: number, headers: Headers): void {
    const { 'transfer-encoding': coding, 'content-length': length } = headers;
    if (statusCode === 204 || statusCode === 304) {
      this.part = 'over';
      // It has no body; one that announces it nevertheless may send it on.
      if (coding !== undefined || (statusCode === 204 && (length ?? '0') !== '0')) this.isKept = false;
    } else if (coding !== undefined) {
      if (length !== undefined) throw new Error('The response has a length and a transfer coding');
      this.part = /(?:^|[ ,])chunked$/i.test(coding) ? 'chunk line' : 'until close';
    } else if (length !== undefined) {
      if (!LENGTH.test(length)) throw new Error('The response has a length that is none');
      this.left = Number(length);
      this.part = this.left === 0 ? 'over' : 'length';
    } else this.part = 'until close';
    if (this.part === 'until close') this.isKept = false;
  }
}

const KNOWN = ['connection', 'keep-alive', 'content-length', 'transfer-encoding', 'retry-after'] as const;
type Headers = { [Name in (typeof KNOWN)[number]]?: string };

/** Of a head's lines those headers that matter here; of several with one name the values, joined as HTTP has it. */
function headersOf(lines: readonly string[]): Headers {
  const headers: Headers = {};
  for (let nth = 1; nth < lines.length; nth++) {
    const [, name, value] = HEADER.exec(lines[nth]!) ?? [];
    if (name === undefined) throw new Error('The response has a header that is none');
    const known = KNOWN.find((each) => each.length === name.length && each === name.toLowerCase());
    if (known) headers[known] = headers[known] === undefined ? value!.trim() : `${headers[known]}, ${value!.trim()}`;
  }
  return headers;
}
