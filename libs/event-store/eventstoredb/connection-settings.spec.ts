import { clientAddress } from './connection-settings';

const FORM = /^EVENT_STORE_URL is not of the form esdb:\/\/user:password@host:2113\?tls=true \(write : /;

describe('the settings of a connection to EventStoreDB', () => {
  it.each([
    ['esdb://a', 'esdb://a'],
    ['esdb://a:2113/?tls=false', 'esdb://a:2113?tls=false'],
    [' esdb://a:65535?tls=true&\n', 'esdb://a:65535?tls=true'],
    ['kurrentdb+discover://me:p%40ss@a,b:1?tls=true', 'esdb+discover://me:p%40ss@a,b:1?tls=true'],
    ['esdb://me:p/?#s@a?node_preference=leader&KeepAliveInterval=-1&keep-alive-timeout=9', undefined],
    // The client says of it that it has no effect, and prints the address.
    ['esdb://me:x@a?tlsVerifyCert=false&tls=true', 'esdb://me:x@a?tls=true'],
  ])('gives the client %s', (url, given = url) => expect(clientAddress(url)).toBe(given));

  it.each([
    'esdb://',
    'esdb://?tls=false',
    'esdb://me@a',
    'esdb://me:hunter2@',
    'esdb://me:hunter@2@a',
    'esdb://me:hunter:2@a',
    'esdb://me:hunter%2@a',
    'esdb://me:hunter2@a,,b',
    'esdb://me:hunter2@a:99999',
    'esdb://me:hunter2@a:65536',
    'esdb://me:hunter2@a:0',
    'esdb://me:hunter2@a:port',
    'esdb://me:hunter2@a?tlsCAFile=%2',
  ])('refuses %s, without repeating the password', (url) => {
    expect(() => clientAddress(url)).toThrow(FORM);
    expect(() => clientAddress(url)).not.toThrow(/hunter/);
  });

  it('refuses an option that the client would print with the password, and a file that is not there', () => {
    expect(() => clientAddress('esdb://me:hunter2@a?tsl=false')).toThrow(
      /^EVENT_STORE_URL has the option tsl; there are tls, tlsVerifyCert, tlsCAFile,/,
    );
    // With it an append that was refused would look like one that was taken.
    expect(() => clientAddress('esdb://a?throwOnAppendFailure=false')).toThrow(/has the option throwOnAppendFailure;/);
    expect(() => clientAddress('esdb://me:hunter2@a?tls=true&tlsCAFile=/nowhere')).toThrow(
      'tlsCAFile in EVENT_STORE_URL, /nowhere, cannot be read (ENOENT)',
    );
  });
});
