import { MAX_URL_LENGTH, vetTarget } from './vet-target';

const inProduction = (url: string) => vetTarget(url, { sandbox: false });
const inSandbox = (url: string) => vetTarget(url, { sandbox: true });

/** 127.0.0.1 as browsers, inet_aton and people write it. */
const LOOPBACK_NOTATIONS = [
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '2130706433',
  '0x7f000001',
  '0x7f.0.0.1',
  '0x7f.1',
  '0177.0.0.1',
  '0177.1',
  '017700000001',
  '127.0.0.1.',
  '127.0.0.01',
  '%31%32%37.0.0.1',
  '127%2e0%2e0%2e1',
  '１２７.０.０.１',
  '127。0。0。1',
  '①②⑦.⓪.⓪.①',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
];
/** Each is another way to write an address inside a refused range. */
const PRIVATE_NOTATIONS = [
  '10.0.0.1',
  '10.1',
  '0xa000001',
  '167772161',
  '012.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '0xc0.0xa8.1.1',
  '3232235777',
  '169.254.169.254',
  '0xa9fea9fe',
  '2852039166',
  '0251.0376.0251.0376',
  '100.64.0.1',
  '0',
  '0.0.0.0',
  '0x0',
  '224.0.0.1',
  '255.255.255.255',
  '4294967295',
  '198.18.0.1',
  '192.0.2.1',
  '198.51.100.1',
  '203.0.113.1',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  '[2001:db8::1]',
  '[fe80::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fec0::1]',
  '[ff02::1]',
];

describe('a webhook target in production', () => {
  it.each([
    ['https://hooks.example.org/in?a=1', 'https://hooks.example.org/in?a=1'],
    ['https://hooks.example.org:8443', 'https://hooks.example.org:8443/'],
    ['HTTPS://Hooks.Example.ORG/In', 'https://hooks.example.org/In'],
    ['https://8.8.8.8/', 'https://8.8.8.8/'],
    ['https://[2606:4700:4700::1111]/', 'https://[2606:4700:4700::1111]/'],
    ['https://bücher.example.org/', 'https://xn--bcher-kva.example.org/'],
  ])('may be %s', (url, normal) => {
    expect(inProduction(url)).toEqual({ ok: true, url: normal });
  });

  it.each([...LOOPBACK_NOTATIONS, ...PRIVATE_NOTATIONS])('may not be the address %s', (host) => {
    expect(inProduction(`https://${host}/`)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('not a public address'),
    });
  });

  it.each([
    'http://hooks.example.org/',
    'http://127.0.0.1/',
    'ftp://hooks.example.org/',
    'file:///etc/passwd',
    'gopher://8.8.8.8/',
    'javascript:alert(1)',
    'data:text/plain,x',
  ])('may not be %s', (url) => {
    expect(inProduction(url)).toMatchObject({ ok: false, reason: expect.stringContaining('https://') });
  });

  it.each(['127.0.0.1..', 'localhost..', 'db.internal..', 'hooks..example.org', '.example.org'])(
    'may not have the host %s, of which a part is empty',
    (host) => {
      expect(inProduction(`https://${host}/`)).toMatchObject({ ok: false, reason: 'The host has an empty part.' });
      expect(inSandbox(`https://${host}/`)).toMatchObject({ ok: false });
    },
  );

  it.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'a.localhost',
    'printer.local',
    'db.internal',
    'metadata.google.internal',
    'a.b.internal.',
    'local',
    'internal',
    'ｌｏｃａｌｈｏｓｔ',
    'loc%61lhost',
  ])('may not have the local name %s', (host) => {
    expect(inProduction(`https://${host}/`)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('this machine or network'),
    });
  });

  it.each(['mylocalhost.example.org', 'localhost.example.org', 'internal.example.org', 'notlocal', 'x-internal'])(
    'may have the name %s',
    (host) => {
      expect(inProduction(`https://${host}/`)).toMatchObject({ ok: true });
    },
  );
});

describe('a webhook target in the sandbox', () => {
  it.each(LOOPBACK_NOTATIONS)('may be %s, by http too', (host) => {
    expect(inSandbox(`http://${host}:8080/x`)).toMatchObject({ ok: true });
    expect(inSandbox(`https://${host}:8080/x`)).toMatchObject({ ok: true });
  });

  it('may be localhost, and comes out in its plain form', () => {
    expect(inSandbox('http://localhost:4000/x')).toEqual({ ok: true, url: 'http://localhost:4000/x' });
    expect(inSandbox('http://0x7f.1:4000/x')).toEqual({ ok: true, url: 'http://127.0.0.1:4000/x' });
    expect(inSandbox('http://127.200.3.4/')).toMatchObject({ ok: true });
  });

  it.each(PRIVATE_NOTATIONS)('may not be %s', (host) => {
    expect(inSandbox(`https://${host}/`)).toMatchObject({ ok: false });
    expect(inSandbox(`http://${host}/`)).toMatchObject({ ok: false });
  });

  it.each(['https://printer.local/', 'https://db.internal/', 'https://a.localhost/'])(
    'may be %s: what it resolves to is vetted when it is sent to',
    (url) => {
      expect(inSandbox(url)).toMatchObject({ ok: true });
    },
  );

  it.each(['http://hooks.example.org/', 'http://8.8.8.8/', 'http://localhost.example.org/', 'http://printer.local/'])(
    'may not be %s: http is for loopback',
    (url) => {
      expect(inSandbox(url)).toMatchObject({ ok: false, reason: expect.stringContaining('loopback only') });
    },
  );
});

describe.each([
  ['production', inProduction],
  ['the sandbox', inSandbox],
])('a URL in %s', (_name, vet) => {
  it.each([
    'https://user@hooks.example.org/',
    'https://user:pass@hooks.example.org/',
    'https://:pass@hooks.example.org/',
    'https://@hooks.example.org/',
    'HTTPS://@hooks.example.org/',
    'https://8.8.8.8@127.0.0.1/',
    'http://a:b@127.0.0.1/',
  ])('may not hold credentials: %s', (url) => {
    expect(vet(url)).toMatchObject({ ok: false, reason: expect.stringContaining('credentials') });
  });

  it.each(['https://hooks.example.org/@me?to=a@b', 'https://hooks.example.org/!\u00a1'])(
    'may hold an @ behind the host, and whatever can be seen: %s',
    (url) => {
      expect(vet(url)).toMatchObject({ ok: true });
    },
  );

  it.each(['https://hooks.example.org:0/', 'http://127.0.0.1:0/', 'https://hooks.example.org:00/'])(
    'may not have port 0: %s',
    (url) => {
      expect(vet(url)).toMatchObject({ ok: false, reason: expect.stringContaining('Port 0') });
    },
  );

  it.each(['https://hooks.example.org/#', 'https://hooks.example.org/#x'])('may not have a fragment: %s', (url) => {
    expect(vet(url)).toMatchObject({ ok: false, reason: expect.stringContaining('fragment') });
  });

  it.each([
    'https://hooks.example.org/\r\nx-injected: 1',
    'https://hooks.example.org/\nx',
    'https://hooks.example.org/\tx',
    ' https://hooks.example.org/',
    'https://hooks.example.org/ x',
    'https://hooks.example.org/\u0000',
    'https://hooks.example.org/\u007f',
    'https://hooks.example.org/\u0085',
    'https://hooks.example.org/\u00a0',
    'https://evil.example.org\\@hooks.example.org/',
  ])('may not hold a space, a control character or a backslash: %j', (url) => {
    expect(vet(url)).toMatchObject({ ok: false, reason: expect.stringContaining('control character') });
  });

  it.each([
    '',
    'hooks.example.org',
    '//hooks.example.org/',
    'https://',
    'https:///',
    'https://[::1%25lo]/',
    'https://[fe80::1%eth0]/',
    'https://1.2.3.4.5/',
    'https://256.1.1.1/',
    'https://a..b%00/',
    'https://exa%0dmple.org/',
  ])('that is none is refused: %j', (url) => {
    expect(vet(url)).toMatchObject({ ok: false, reason: expect.any(String) });
  });

  it('may be as long as the bound, and no longer', () => {
    const url = 'https://hooks.example.org/'.padEnd(MAX_URL_LENGTH, 'a');
    expect(vet(url)).toMatchObject({ ok: true });
    expect(vet(`${url}a`)).toMatchObject({ ok: false, reason: expect.stringContaining('longer') });
  });
});
