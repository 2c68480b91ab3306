/** Sets of client addresses: reads address ranges (CIDR), and decides whether an address lies in one of them. */
import { BlockList, isIP, SocketAddress } from 'node:net';
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
    .map(parseSource);
}

/** One part of `parseSources`. @throws KeyError `malformed` */
export function parseSource(part: string): string {
  const refuse = (reason: string) => new KeyError('malformed', `${part} ${reason}`);
  if (part.includes('%'))
    throw refuse(`names a network interface, which says nothing about the client: write ${part.replace(/%[^/]*/, '')}`);
  const range = readRange(part);
  if (range === null) throw refuse('is no address range; write it as 192.0.2.0/24 or 2001:db8::/32');
  const [address = '', prefix] = range.split('/');
  const plain = plainAddress(address);
  if (plain.includes('.') && address.includes(':')) {
    const bits = Number(prefix) - 96;
    throw refuse(
      `is an IPv4 address in IPv6 form: write ${bits < 0 || bits === 32 ? plain : `${networkOf(plain, bits)}/${bits}`}`,
    );
  }
  const network = networkOf(plain, Number(prefix));
  if (network !== plain)
    throw refuse(
      `is not the beginning of a range: write ${network}/${prefix} for the range, or ${plain} for the address`,
    );
  return `${plain}/${prefix}`;
}

/** The first address of the range that holds `address`, as `plainAddress` writes it. */
function networkOf(address: string, prefix: number): string {
  const isV4 = isIP(address) === 4;
  const groups = isV4 ? address.split('.').map(Number) : groupsOf(address);
  const bits = isV4 ? 8 : 16;
  const kept = groups.map((group, at) => {
    const free = Math.min(Math.max((at + 1) * bits - prefix, 0), bits);
    return (group >> free) << free;
  });
  return isV4 ? kept.join('.') : plainAddress(kept.map((group) => group.toString(16)).join(':'));
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [front = [], back = []] = address
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').flatMap(toGroups)));
  return [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back];
}

/** An IPv4 tail is two groups. */
function toGroups(text: string): number[] {
  if (!text.includes('.')) return [Number.parseInt(text, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}

/**
 * The one notation of an address, without a zone. An IPv4 address in IPv6 form, as sockets that listen on IPv6 and some proxies
 * show it (`::ffff:192.0.2.7`, `0:0:0:0:0:ffff:c000:207`), is the IPv4 address. A text that is no address is returned as it is.
 */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, '');
  if (isIP(bare) !== 6) return bare;
  const canonical = new SocketAddress({ address: bare, family: 'ipv6' }).address;
  return canonical.replace(/^::ffff:(?=\d+\.)/, '');
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
