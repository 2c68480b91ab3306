/** Sets of client addresses: reads address ranges (CIDR), and decides whether one of them contains an address. */
import { BlockList, isIP } from 'node:net';
import { readRange } from '../../config/network.js';
import { KeyError } from '../error.js';

export interface AddressSet {
  /** null, and any text that is no address, is in no set. */
  has(address: string | null): boolean;
}

/** `ranges` as `readRange` accepts them: `192.0.2.0/24`, or an address alone. */
export function createAddressSet(ranges: readonly string[]): AddressSet {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix] = (readRange(range) ?? '').split('/');
    list.addSubnet(network, Number(prefix), familyOf(network));
  }
  return {
    has(address) {
      const plain = plainAddress(address ?? '');
      return isIP(plain) !== 0 && list.check(plain, familyOf(plain));
    },
  };
}

/** Whether `ranges` (as `parseSources` returns them) allow `address`; an empty list allows every address. */
export function allowsSource(ranges: readonly string[], address: string | null): boolean {
  return ranges.length === 0 || createAddressSet(ranges).has(address);
}

/**
 * Reads `10.0.0.0/8,192.0.2.7,2001:db8::/32`; an address alone means itself.
 * @throws KeyError `malformed` that names the part that is no CIDR.
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

/** Without a zone; a socket that listens on IPv6 shows IPv4 clients as ::ffff:192.0.2.7, which is 192.0.2.7. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
