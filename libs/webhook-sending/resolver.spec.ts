import { readFile } from 'node:fs/promises';
import { systemLookup } from './resolver';

jest.mock('node:fs/promises', () => ({
  ...jest.requireActual<typeof import('node:fs/promises')>('node:fs/promises'),
  readFile: jest.fn(),
}));

const HOSTS = `127.0.0.1 localhost
192.0.2.1\ta.hooks.example.org hooks.example.org.test # hooks.example.org
# 192.0.2.2 hooks.example.org
  192.0.2.3   Hooks.Example.org  other\r
2001:db8::3 hooks.example.org
`;

describe('the hosts file of the machine', () => {
  beforeEach(() => jest.mocked(readFile).mockResolvedValue(HOSTS));

  it('says all addresses of a name, and only of that one', async () =>
    expect(await systemLookup()('hooks.example.org')).toEqual(['192.0.2.3', '2001:db8::3']));

  it('may say several names of an address', async () => expect(await systemLookup()('other')).toEqual(['192.0.2.3']));
});
