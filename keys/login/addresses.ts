/** Where a login key may log in from: CIDRs, their check, and whether an address lies in them. */
import { BlockList, isIP } from 'node:net';
import { readRange } from '../../config/network.js';
import { KeyError } from '../error.js';

/**
 * Reads `10.0.0.0/8,192.0.2.7,2001:db8::/32`; an address alone means itself.
 * @throws KeyError `malformed` naming the part that is no CIDR.
 */
export function parseSources(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const range = readRange(part);
      if (range === null)
        throw new KeyError('malformed', `${part} is no address range; write it as 192.0.2.0/24 or 2001:db8::/32`);
      return range;
    });
}

/** Whether `sources` (as `parseSources` gives them) let `address` in; an empty list lets every address in. */
export function allowsSource(sources: readonly string[], address: string | null): boolean {
  if (sources.length === 0) return true;
  if (address === null) return false;
  const allowed = new BlockList();
  for (const source of sources) {
    const [network = '', prefix] = source.split('/');
    allowed.addSubnet(network, Number(prefix), isIP(network) === 6 ? 'ipv6' : 'ipv4');
  }
  // A socket that listens on IPv6 shows IPv4 clients as ::ffff:192.0.2.7.
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  const family = isIP(plain);
  return family !== 0 && allowed.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}
