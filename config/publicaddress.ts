/** Tells addresses of the internet from private ones, for every connection that Dropslot makes to an address of somebody's choice. */
import { BlockList, isIP } from 'node:net';

/** Networks that are not the internet: RFC 6890 and the registries of special addresses. */
const privateV4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
];
/** Of IPv6 only global unicast is the internet; within it not: Teredo and other protocols, documentation, 6to4. */
const globalV6 = '2000::/3';
const privateV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const blocked = listOf([...privateV4, ...privateV6]);
const allowed = listOf([globalV6]);

/** false also of mapped (::ffff:…), NAT64 and other forms of IPv6 that have an IPv4 address in them. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !blocked.check(address, 'ipv4');
  return family === 6 && !address.includes('%') && allowed.check(address, 'ipv6') && !blocked.check(address, 'ipv6');
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address, bits] = network.split('/') as [string, string];
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
