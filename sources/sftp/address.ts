/** Resolves the host of a source to the addresses that may be connected: private ones only where the source allows them. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isPublicAddress } from '../../config/publicaddress.js';
import { SourceError } from '../error.js';

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
  const usable = allowPrivate ? addresses : addresses.filter(isPublicAddress);
  if (usable.length === 0 && addresses.length > 0)
    throw new SourceError(
      'private_address',
      `${host === addresses[0] ? host : `${host} (${addresses[0]})`} is a private or loopback address: if this is intended, allow it with --allow-private`,
    );
  if (usable.length === 0) throw new SourceError('unreachable', `the name ${host} has no address`);
  return usable.slice(0, mostAddresses);
}

function reasonOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
}
