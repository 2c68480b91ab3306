/**
 * Keeps webhooks away from private addresses. The check is made on the addresses that a connection uses, after the name was
 * resolved: a name that resolves to another address the second time gains nothing.
 */
import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from '../../config/publicaddress.js';

/** The code of errors of a host whose addresses are all private. */
export const privateAddress = 'ERR_PRIVATE_ADDRESS';

/** A host that is an address is not looked up: it is checked here. @param hostname of a URL, with brackets or without */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return isIP(host) !== 0 && !isPublicAddress(host);
}

type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** A `lookup` for connections that gives public addresses alone. @param resolve for tests */
export function createPublicLookup(resolve: Resolve = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0);
      const usable = addresses.filter(({ address }) => isPublicAddress(address));
      if (usable.length === 0) {
        const refusal = new Error('the name resolves to private addresses only');
        return callback(Object.assign(refusal, { code: privateAddress }), '', 0);
      }
      if (options.all === true) return callback(null, usable as never);
      callback(null, usable[0]!.address, usable[0]!.family);
    });
  };
}
