/** The sheet for a new customer: everything that the people of an organization need to send their first file. */

import { readEndpoint } from '../config/network.js';
import { isHostName, type Settings } from '../config/settings.js';
import type { Org } from '../db/control/orgs.js';
import { contactOf } from '../importer/contact.js';
import { renderWelcome } from '../importer/report/welcome.js';
import { jitterOf, nextSlotOf } from '../importer/schedule/jitter.js';
import { OperationError } from './error.js';
import type { HostKeyView, ServerAddress } from './hostkeys.js';
import type { Workplace } from './workplace.js';

export interface Welcome {
  org: Org;
  address: ServerAddress;
  /** Without those that are retired. */
  hostKeys: HostKeyView[];
  contact: string | null;
  nextSlotAt: number;
  /** Of at most 80 columns, but for the line of known_hosts. */
  text: string;
}

/** @throws OperationError `not_found`; `usage` where no host name is known; `refused` before the server has its keys */
export async function makeWelcome(workplace: Workplace, id: string, given: Partial<ServerAddress>): Promise<Welcome> {
  const { settings, now, paths } = workplace;
  const org = await workplace.org(id);
  const address = clientAddress(settings, given);
  if (address === null)
    throw new OperationError('usage', 'give --host with the name that clients connect to, or set publicHost');
  if (!isHostName(address.host)) throw new OperationError('usage', `"${address.host}" is not a host name`);
  const { listHostKeys } = await import('./hostkeys.js');
  const hostKeys = (await listHostKeys(workplace, address)).filter(({ state }) => state !== 'retired');
  if (hostKeys.length === 0)
    throw new OperationError(
      'refused',
      `there are no host keys in ${paths.hostKeys} yet: start "dropslot serve" once, which makes them`,
    );
  const contact = contactOf(org, settings);
  const nextSlotAt = nextSlotOf(org, now(), jitterOf(org, settings.slotJitterMinutes));
  const text = renderWelcome({ org, address, hostKeys, contact, nextSlotAt });
  return { org, address, hostKeys, contact, nextSlotAt, text };
}

/** Where clients connect to: as given, else by the settings. null: no host name is known. */
export function clientAddress(
  { publicHost, publicPort, listen, port }: Settings,
  given: Partial<ServerAddress>,
): ServerAddress | null {
  const host = given.host ?? publicHost;
  if (host === undefined) return null;
  const [first] = listen;
  const listening = first === undefined ? port : readEndpoint(first)!.port;
  return { host, port: given.port ?? publicPort ?? listening };
}
