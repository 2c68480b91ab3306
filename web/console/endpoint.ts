/** Where the console listens, and its address in browsers. */
import type { Settings } from '../../config/settings.js';
import { OperationError } from '../../operations/error.js';
import { type Endpoint, endpointOf, isLoopback } from '../api/listen.js';

export type ConsoleSettings = Pick<
  Settings,
  'console' | 'consoleUrl' | 'apiTlsCert' | 'apiTlsKey' | 'apiAllowHttp' | 'api'
>;

/** null: the console is off. @throws OperationError `usage` for an address that would need TLS, or whose name in browsers is unknown */
export function consoleEndpointOf(settings: ConsoleSettings): Endpoint | null {
  const { console: address, consoleUrl } = settings;
  if (address === undefined) return null;
  const endpoint = endpointOf({ ...settings, api: address }, 'console')!;
  if (consoleUrl === undefined && !isLoopback(endpoint.host))
    throw new OperationError(
      'usage',
      `the setting console=${address} needs consoleUrl, the address of the console in browsers, such as https://hr-files.example`,
    );
  if (consoleUrl?.startsWith('http:') === true && !isLoopback(new URL(consoleUrl).hostname.replace(/^\[|\]$/g, '')))
    throw new OperationError(
      'usage',
      `the setting consoleUrl=${consoleUrl} would send passwords over a network in plaintext: it must begin with https://`,
    );
  return endpoint;
}
