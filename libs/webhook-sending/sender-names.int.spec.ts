import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { decode, encode, type Answer, type Packet } from 'dns-packet';
import { eventually } from '#testing';
import { dial, type Dialling, type DialTarget } from './dial';
import { systemLookup } from './resolver';

const PUBLIC = '93.184.215.14';
const PUBLIC6 = '2606:2800:21f:cb07:6820:80da:af6b:8b2c';

/** What the name server answers for a name and a type, at its nth question of that type; null: nothing at all. */
type Zone = (name: string, type: 'A' | 'AAAA', nth: number) => string[] | null;

describe('a name that somebody else’s name server answers for', () => {
  let dns: UdpSocket;
  let zone: Zone;
  let asked: string[];
  let dialled: string[];
  let receiver: ReturnType<typeof createServer>;
  let accepted: Socket[];
  let target: Omit<DialTarget, 'host'>;
  let lookup: ReturnType<typeof systemLookup>;

  beforeAll(async () => {
    dns = createSocket('udp4', (message, from) => {
      const query = decode(message) as Packet & { id: number };
      const { name, type } = query.questions![0]! as { name: string; type: 'A' | 'AAAA' };
      asked.push(type);
      const found = zone(name, type, asked.filter((each) => each === type).length);
      if (!found) return;
      const answers = found.map((data): Answer => ({ type, name, ttl: 0, data }) as Answer);
      const rcode = name.startsWith('missing') ? 3 : 0;
      const reply = encode({
        type: 'response',
        id: query.id,
        flags: 0x8180 | rcode,
        questions: query.questions,
        answers,
      });
      dns.send(reply, from.port, from.address);
    });
    receiver = createServer((_, response) => void response.end()).on('connection', (socket) => accepted.push(socket));
    await new Promise<void>((up) => dns.bind(0, '127.0.0.1', up));
    await new Promise<void>((up) => receiver.listen(0, '127.0.0.1', up));
    target = { secure: false, port: (receiver.address() as AddressInfo).port };
    lookup = systemLookup([`127.0.0.1:${dns.address().port}`]);
  });
  beforeEach(() => {
    asked = [];
    dialled = [];
    accepted = [];
  });
  afterAll(() => {
    dns.close();
    receiver.close();
    receiver.closeAllConnections();
  });

  /** Dials as the sender does; a vetted address is played by the receiver on loopback, and noted. */
  const connect = async (
    host: string,
    sandbox = false,
    dialling: Dialling = { stage: 'resolve', cancelled: false },
  ): Promise<Socket> => {
    const reroute = (address: string) => {
      dialled.push(address);
      return '127.0.0.1';
    };
    const socket = await dial({ ...target, host }, { sandbox, lookup, forTests: { reroute } }, dialling);
    socket.destroy();
    return socket;
  };

  it('is dialled at the address that was vetted, after one question per family', async () => {
    zone = (_, type) => (type === 'A' ? [PUBLIC] : []);
    await connect('hooks.example.org');
    expect(dialled).toEqual([PUBLIC]);
    expect(asked.sort()).toEqual(['A', 'AAAA']);
  });

  it('is dialled by IPv6 where that is all there is', async () => {
    zone = (_, type) => (type === 'AAAA' ? [PUBLIC6] : []);
    await connect('hooks.example.org');
    expect(dialled).toEqual([PUBLIC6]);
  });

  it.each([
    ['a public and a private one', [PUBLIC, '10.0.0.7'], [] as string[]],
    ['a private and a public one', ['192.168.0.1', PUBLIC], []],
    ['a public IPv4 and loopback by IPv6', [PUBLIC], ['::1']],
    ['a public IPv4 and a link-local IPv6', [PUBLIC], ['fe80::1']],
    ['a public IPv4 and an IPv4-mapped IPv6', [PUBLIC], ['::ffff:169.254.169.254']],
    ['metadata alone', ['169.254.169.254'], []],
    ['a unique local one alone', [], ['fd00:ec2::254']],
    ['NAT64 of loopback', [], ['64:ff9b::7f00:1']],
    ['unspecified', ['0.0.0.0'], []],
  ])('is refused when its addresses are %s', async (_name, four, six) => {
    zone = (_, type) => (type === 'A' ? four : six);
    await expect(connect('hooks.example.org')).rejects.toMatchObject({
      stage: 'refused',
      message: expect.stringContaining('hooks.example.org resolves to'),
    });
    expect(dialled).toEqual([]);
    expect(accepted).toEqual([]);
  });

  it('is refused in the sandbox too when it resolves to loopback: only loopback by its own name is trusted there', async () => {
    zone = (_, type) => (type === 'A' ? ['127.0.0.1'] : []);
    await expect(connect('hooks.example.org', true)).rejects.toMatchObject({ stage: 'refused' });
  });

  it.each(['10.0.0.7', '169.254.169.254', '::ffff:127.0.0.1', 'fe80::1'])(
    'is refused as the address %s itself, in the sandbox too',
    async (address) => {
      await expect(connect(address)).rejects.toMatchObject({ stage: 'refused' });
      await expect(connect(address, true)).rejects.toMatchObject({ stage: 'refused' });
      expect(dialled).toEqual([]);
    },
  );

  it('is dialled no more when its exchange has ended while it was resolved', async () => {
    zone = (_, type) => (type === 'A' ? [PUBLIC, '1.1.1.1'] : []);
    const dialling: Dialling = { stage: 'resolve', cancelled: false };
    const connected = connect('hooks.example.org', false, dialling);
    dialling.cancelled = true;
    await expect(connected).rejects.toMatchObject({ stage: 'aborted' });
    expect(dialled).toEqual([]);
  });

  it('gains nothing by answering otherwise the second time: each connection is vetted for itself', async () => {
    zone = (_, type, nth) => (type === 'A' ? [nth === 1 ? PUBLIC : '127.0.0.1'] : []);
    await connect('hooks.example.org');
    await expect(connect('hooks.example.org')).rejects.toMatchObject({ stage: 'refused' });
    expect(dialled).toEqual([PUBLIC]);
    await eventually(() => expect(accepted).toHaveLength(1));
  });

  it.each(['A', 'AAAA'] as const)('is dialled although its name server never answers for %s', async (silent) => {
    zone = (_, type) => (type === silent ? null : type === 'A' ? [PUBLIC] : [PUBLIC6]);
    const began = performance.now();
    await connect('hooks.example.org');
    expect(dialled).toEqual([silent === 'A' ? PUBLIC6 : PUBLIC]);
    expect(performance.now() - began).toBeLessThan(4_000);
  });

  it('fails to resolve when it does not exist, or has no address', async () => {
    zone = () => [];
    await expect(connect('missing.example.org')).rejects.toMatchObject({
      stage: 'resolve',
      message: expect.stringContaining('ENOTFOUND'),
    });
    await expect(connect('empty.example.org')).rejects.toMatchObject({ stage: 'resolve' });
  });

  it('is not asked for again while the same question is open', async () => {
    zone = (_, type) => (type === 'A' ? [PUBLIC] : []);
    await Promise.all(Array.from({ length: 10 }, () => connect('hooks.example.org')));
    expect(asked).toHaveLength(2);
    expect(dialled).toHaveLength(10);
  });

  it('never asks for localhost: refused outside the sandbox, loopback inside', async () => {
    zone = () => [PUBLIC];
    await expect(connect('localhost')).rejects.toMatchObject({ stage: 'refused' });
    await expect(connect('a.localhost')).rejects.toMatchObject({ stage: 'refused' });
    await connect('localhost', true);
    expect(dialled[0]).toBe('127.0.0.1');
    expect(asked).toEqual([]);
  });

  it('is dialled by IPv4 first, whichever family was answered first', async () => {
    const tried: string[] = [];
    const reroute = (address: string) => (tried.push(address), '127.0.0.1');
    const socket = await dial(
      { ...target, host: 'hooks.example.org' },
      { sandbox: false, lookup: async () => [PUBLIC6, PUBLIC], forTests: { reroute } },
      { stage: 'resolve', cancelled: false },
    );
    socket.destroy();
    expect(tried).toEqual([PUBLIC]);
  });

  it('is tried at its other addresses when one does not answer', async () => {
    zone = (_, type) => (type === 'A' ? [PUBLIC, '1.1.1.1'] : []);
    const tried: string[] = [];
    const reroute = (address: string) => (tried.push(address), tried.length === 1 ? '127.0.0.99' : '127.0.0.1');
    receiver.close();
    await new Promise<void>((up) => receiver.listen(target.port, '127.0.0.1', up));
    const socket = await dial(
      { ...target, host: 'hooks.example.org' },
      { sandbox: false, lookup, forTests: { reroute } },
      { stage: 'resolve', cancelled: false },
    );
    socket.destroy();
    expect(tried.sort()).toEqual(['1.1.1.1', PUBLIC]);
  });

  it('is tried at its other address when one is silent, and waited for at the last', async () => {
    const silent = jest.spyOn(net, 'connect').mockImplementation(() => new net.Socket());
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    try {
      const dialling: Dialling = { stage: 'resolve', cancelled: false };
      const settings = { sandbox: false, lookup: async () => [PUBLIC, '1.1.1.1'] };
      const dialled = dial({ ...target, host: 'hooks.example.org' }, settings, dialling).catch((error: Error) => error);
      await new Promise(setImmediate);
      jest.advanceTimersByTime(3_000);
      await new Promise(setImmediate);
      expect(silent.mock.calls.map(([at]) => (at as unknown as { host: string }).host)).toEqual([PUBLIC, '1.1.1.1']);
      jest.advanceTimersByTime(10_000);
      expect(dialling.socket).toMatchObject({ destroyed: false });
      dialling.socket!.destroy();
      expect(await dialled).toMatchObject({ stage: 'connect', message: expect.stringContaining('1.1.1.1 port') });
    } finally {
      jest.useRealTimers();
      silent.mockRestore();
    }
  });
});
