/** Owns the source of a connection: the address, or the IPv6 network, by which penalties and limits count clients. */
import { isIP } from 'node:net';

/** An IPv4 address, or the /64 of an IPv6 one, as its holder has all of it: `192.0.2.7`, `2001:db8:0:7::/64`. */
export type Source = string;

/** `address` as `plainAddress` returns it. A text that is no address is a source by itself. */
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

/** The /48 of an IPv6 source, as providers assign them to one customer: `2001:db8::/48`. null: an IPv4 address. */
export function networkOf(source: Source): Source | null {
  if (!source.endsWith('::/64')) return null;
  const groups = source.slice(0, -'::/64'.length).split(':').slice(0, 3);
  return `${groups.join(':').replace(/(:0)+$/, '')}::/48`;
}
