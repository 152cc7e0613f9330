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

const RENEW_MS = 30_000;

function newResolver(servers?: readonly string[]): Resolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  if (servers) resolver.setServers(servers);
  return resolver;
}

/**
 * The machine's hosts file and name servers, asked without `getaddrinfo`: that one runs on the few threads which Node shares
 * with file access, so a handful of names with dead servers would hold up every other connection.
 */
export function systemLookup(servers?: readonly string[]): Lookup {
  let resolver = newResolver(servers);
  let madeAt = performance.now();
  const underWay = new Map<string, Promise<readonly string[]>>();

  const ask = async (hostname: string): Promise<readonly string[]> => {
    const local = servers ? [] : await fromHostsFile(hostname);
    if (local.length > 0) return local;
    // A resolver reads the list of name servers once: a new one now and then notices when the machine's has changed.
    if (performance.now() - madeAt > RENEW_MS) [resolver, madeAt] = [newResolver(servers), performance.now()];
    const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0) return addresses;
    const codes = answers.map((answer) =>
      answer.status === 'rejected' ? (answer.reason as { code?: string }).code : '',
    );
    throw new StageError('resolve', `${hostname} has no address (${codes[0]})`);
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
