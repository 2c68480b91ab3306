/** Addresses of clients: their plain form, the source that penalties and caps count by, and sets of ranges. */
import { BlockList, isIP } from 'node:net';

/** An IPv4 address, or the /64 of an IPv6 one, whose holder has all of it: `192.0.2.7`, `2001:db8:0:7::/64`. */
export type Source = string;

/** Without a zone; a socket that listens on IPv6 shows IPv4 clients as ::ffff:192.0.2.7, which is 192.0.2.7. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}

/** `address` is plain. What is no address is a source by itself. */
export function sourceOf(address: string): Source {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  // An IPv4 tail stands for two groups, and is never among the first four that count here.
  const missing = tail === undefined ? 0 : 8 - front.length - back.length - (address.includes('.') ? 1 : 0);
  const groups = [...front, ...Array<string>(missing).fill('0'), ...back].slice(0, 4);
  const network = groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
  return `${network.replace(/(:0)+$/, '')}::/64`;
}

export interface AddressSet {
  /** `address` is plain. */
  has(address: string | null): boolean;
}

/** `ranges` as settings have them: `192.0.2.0/24`, or an address alone. */
export function createAddressSet(ranges: readonly string[]): AddressSet {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix] = range.trim().split('/');
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(network, family);
    else list.addSubnet(network, Number(prefix), family);
  }
  return {
    has(address) {
      const family = address === null ? 0 : isIP(address);
      return family !== 0 && list.check(address!, family === 6 ? 'ipv6' : 'ipv4');
    },
  };
}
