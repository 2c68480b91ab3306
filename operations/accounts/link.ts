/** The link of an invitation. */
import { readEndpoint } from '../../config/network.js';
import type { Settings } from '../../config/settings.js';
import { OperationError } from '../error.js';

/** @throws OperationError `usage` when the console is off */
export function invitationLink(
  settings: Pick<Settings, 'console' | 'consoleUrl' | 'apiTlsCert'>,
  code: string,
): string {
  return `${consoleAddress(settings)}/invitation/${code}`;
}

/** Of the console in browsers. @throws OperationError `usage` when the console is off */
export function consoleAddress({
  console: address,
  consoleUrl,
  apiTlsCert,
}: Pick<Settings, 'console' | 'consoleUrl' | 'apiTlsCert'>): string {
  if (address === undefined)
    throw new OperationError(
      'usage',
      'the console is off: set console, such as "console": "127.0.0.1:8023", and start the server again',
    );
  if (consoleUrl !== undefined) return consoleUrl;
  const { host = 'localhost', port } = readEndpoint(address)!;
  return `${apiTlsCert === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export interface ProviderAddresses {
  /** Of the page that begins a sign-in: the provider's own menu, or a bookmark, has it. */
  signIn: string;
  /** Is registered at the provider, in exactly this form. */
  redirect: string;
}

/** @param key of the provider. @throws OperationError `usage` when the console is off */
export function providerAddresses(
  settings: Pick<Settings, 'console' | 'consoleUrl' | 'apiTlsCert'>,
  key: string,
): ProviderAddresses {
  const address = consoleAddress(settings).toLowerCase();
  return { signIn: `${address}/sign-in/with/${key}`, redirect: `${address}/sign-in/return/${key}` };
}
