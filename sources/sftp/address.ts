/** Resolves the host of a source to the addresses that may be connected: private ones only where the source allows them. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { SourceError } from '../error.js';

/** Networks that are not the internet (RFC 6890 and the registries of special addresses). */
const privateV4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
];
/** Of IPv6 only global unicast is the internet; within it not: Teredo and other protocols, documentation, 6to4. */
const globalV6 = ['2000::/3'];
const privateV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const blocked = listOf([...privateV4, ...privateV6]);
const allowed = listOf(globalV6);

/** true also of mapped (::ffff:…), NAT64 and other forms of IPv6 that have an IPv4 address in them. */
export function isPrivateAddress(address: string): boolean {
  if (isIP(address) === 4) return blocked.check(address, 'ipv4');
  return address.includes('%') || !allowed.check(address, 'ipv6') || blocked.check(address, 'ipv6');
}

export type Resolve = (host: string) => Promise<string[]>;

export const systemResolve: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

const mostAddresses = 8;

/**
 * The addresses to connect to, in the order of the resolver. The connection goes to the address that was checked here, and the
 * name is not resolved a second time.
 * @throws SourceError `unreachable`, `private_address`
 */
export async function resolveHost(host: string, allowPrivate: boolean, resolve: Resolve): Promise<string[]> {
  let addresses: string[];
  try {
    addresses = isIP(host) !== 0 ? [host] : await resolve(host);
  } catch (cause) {
    throw new SourceError('unreachable', `the name ${host} can't be resolved (${reasonOf(cause)})`, { cause });
  }
  const usable = allowPrivate ? addresses : addresses.filter((address) => !isPrivateAddress(address));
  if (usable.length === 0 && addresses.length > 0)
    throw new SourceError(
      'private_address',
      `${host === addresses[0] ? host : `${host} (${addresses[0]})`} is a private or loopback address: allow it with --allow-private if this is intended`,
    );
  if (usable.length === 0) throw new SourceError('unreachable', `the name ${host} has no address`);
  return usable.slice(0, mostAddresses);
}

function reasonOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address, bits] = network.split('/') as [string, string];
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
