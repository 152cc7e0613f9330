import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { StageError } from './exchange';

/** All addresses of a name, IPv4 and IPv6. Rejects when there is none. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

const HOSTS_FILE = process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts';

async function fromHostsFile(hostname: string): Promise<string[]> {
  const text = await readFile(HOSTS_FILE, 'utf8').catch(() => '');
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/))
    .filter(([, ...names]) => names.includes(hostname))
    .map(([address]) => address!);
}

/** A new one for each question (some 40 µs): it reads the machine's list of name servers when it is made, and before Node 20.20 it keeps their answers. */
function newResolver(servers?: readonly string[]): Resolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  if (servers) resolver.setServers(servers);
  return resolver;
}

/** So long the other family is waited for once one has an address: some name servers never answer for IPv6 (RFC 8305, 3). */
const OTHER_FAMILY_MS = 1_000;

/** The addresses of both families, without those of one that answers much later than the other, or never. */
async function ofBoth(...families: readonly Promise<string[]>[]): Promise<readonly string[]> {
  const found: string[] = [];
  const heard = families.map((family) => family.then((addresses) => void found.push(...addresses)));
  const all = Promise.allSettled(heard);
  await Promise.any(heard).catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([all, new Promise((later) => (timer = setTimeout(later, OTHER_FAMILY_MS)))]);
  clearTimeout(timer);
  return [...found];
}

/**
 * The machine's hosts file and name servers, asked without `getaddrinfo`: that one runs on the few threads which Node shares
 * with file access, so a handful of names with dead servers would hold up every other connection.
 */
export function systemLookup(servers?: readonly string[]): Lookup {
  const underWay = new Map<string, Promise<readonly string[]>>();

  const ask = async (hostname: string): Promise<readonly string[]> => {
    const local = servers ? [] : await fromHostsFile(hostname);
    if (local.length > 0) return local;
    const resolver = newResolver(servers);
    const [four, six] = [resolver.resolve4(hostname), resolver.resolve6(hostname)];
    const addresses = await ofBoth(four, six);
    if (addresses.length > 0) return addresses;
    const code = await four.then(String, ({ code }: { code?: string }) => code);
    throw new StageError('resolve', `${hostname} has no address (${code})`);
  };

  return (hostname) => {
    let answer = underWay.get(hostname);
    if (!answer) {
      answer = ask(hostname).finally(() => underWay.delete(hostname));
      underWay.set(hostname, answer);
    }
    return answer;
  };
}
