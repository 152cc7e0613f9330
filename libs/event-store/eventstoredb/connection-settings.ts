import { readFileSync } from 'node:fs';

export const FORM =
  'EVENT_STORE_URL is not of the form esdb://user:password@host:2113?tls=true (write : / ? # @ % in a user or password as %3A %2F %3F %23 %40 %25)';
const ADDRESS = /^(?:esdb|kurrentdb)(\+discover)?:\/\/([^:@]+:[^:@]+@)?([^@?#]+?)\/*(?:\?(.*))?$/;
const HOST = /^[\w.-]+(?::(\d{1,5}))?$/;
/**
 * What the client knows; it takes them in any case, and with hyphens or underscores in them. Without throwOnAppendFailure, which must not be
 * turned off: an append at a wrong revision would pass for one that was taken.
 */
const OPTIONS = [
  ...['tls', 'tlsVerifyCert', 'tlsCAFile', 'userCertFile', 'userKeyFile'],
  ...['connectionName', 'defaultDeadline', 'keepAliveInterval', 'keepAliveTimeout'],
  ...['nodePreference', 'maxDiscoverAttempts', 'discoveryInterval', 'gossipTimeout'],
];

/**
 * The address as the client may be given it. Throws one sentence, without the password, for what the client would take for something
 * else: it looks up what follows the first @ as a host and says so in its errors, leaves out what follows a second colon, and prints
 * the whole address when an option is misspelt.
 */
export function clientAddress(url: string): string {
  const [, discover = '', credentials = '', hosts = '', query = ''] = ADDRESS.exec(url.trim()) ?? [];
  if (!hosts.split(',').every(isHost) || !isEscaped(credentials)) throw new Error(FORM);
  const options = query.split('&').filter((option) => option !== '' && isWanted(option));
  return `esdb${discover}://${credentials}${hosts}${options.length > 0 ? `?${options.join('&')}` : ''}`;
}

function isHost(host: string): boolean {
  const found = HOST.exec(host);
  const port = Number(found?.[1] ?? 2_113);
  return found !== null && port > 0 && port <= 65_535;
}

function isEscaped(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function isWanted(option: string): boolean {
  const [given, value = ''] = option.split('=') as [string, string?];
  const name = OPTIONS.find((known) => known.toLowerCase() === given.toLowerCase().replace(/[_-]/g, ''));
  if (name === undefined) throw new Error(`EVENT_STORE_URL has the option ${given}; there are ${OPTIONS.join(', ')}`);
  if (name.endsWith('File')) expectFile(name, value);
  // It has no effect in the client, but that the address is printed.
  return name !== 'tlsVerifyCert';
}

function expectFile(name: string, value: string): void {
  if (!isEscaped(value)) throw new Error(FORM);
  const file = decodeURIComponent(value);
  try {
    readFileSync(file);
  } catch (cause) {
    throw new Error(`${name} in EVENT_STORE_URL, ${file}, cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    });
  }
}
