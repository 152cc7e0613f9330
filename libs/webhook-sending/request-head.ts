import { StageError } from './exchange';

/** RFC 9110, 5.6.2 and 5.5, without the bytes above ASCII that nobody agrees about: nothing that could break out of a header. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e]*$/;

/** What stands before the body of a POST. `path` and `host` come from a parsed URL. Throws a StageError `refused` on a header that is none. */
export function requestHead(
  host: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  bodyBytes: number,
): string {
  let head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (const name in headers) {
    const value = headers[name]!;
    if (!NAME.test(name) || !VALUE.test(value))
      throw new StageError('refused', `The header ${JSON.stringify(name)} is not one`);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}content-length: ${bodyBytes}\r\n\r\n`;
}
