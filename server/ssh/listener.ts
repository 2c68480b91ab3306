/** Listens for TCP connections on one or more addresses; an error says in one sentence why it can't. */
import { createServer, type Server, type Socket } from 'node:net';
import { type Endpoint, type PolicyName, readEndpoint } from '../../config/network.js';
import type { Settings } from '../../config/settings.js';
import { ServerError } from '../error.js';

export interface Listener {
  host: string;
  port: number;
  policy: PolicyName;
  /** Accepts no new connections. */
  close(): void;
}

type ListenSettings = Pick<Settings, 'listen' | 'host' | 'port' | 'policy'>;

/**
 * Listens on all of `listen`, or else on `host` and `port`. Without a host it listens on every address of the
 * machine; port 0 takes a free port.
 * @param pauseOnConnect leave the first bytes of each connection to the process that gets its socket
 * @throws ServerError when one of the ports is in use or not permitted; then it listens on none.
 */
export async function listenAll(
  settings: ListenSettings,
  accept: (socket: Socket, policy: PolicyName) => void,
  pauseOnConnect = false,
): Promise<Listener[]> {
  const { host, port, policy } = settings;
  const endpoints = settings.listen.map((text) => readEndpoint(text)!);
  if (endpoints.length === 0) endpoints.push({ host, port, policy });
  const listeners: Listener[] = [];
  try {
    for (const endpoint of endpoints) {
      const chosen = endpoint.policy ?? policy;
      listeners.push(await listen(endpoint, chosen, (socket) => accept(socket, chosen), pauseOnConnect));
    }
    return listeners;
  } catch (error) {
    for (const listener of listeners) listener.close();
    throw error;
  }
}

function listen(
  { host, port }: Endpoint,
  policy: PolicyName,
  accept: (socket: Socket) => void,
  pauseOnConnect: boolean,
): Promise<Listener> {
  // Nagle's algorithm makes uploads five times slower: each answer would wait for the client's acknowledgement.
  const server = createServer({ noDelay: true, pauseOnConnect }, accept);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, host, port)));
    // Another listener may have the same port on 0.0.0.0.
    const where = host === undefined ? {} : { host, ipv6Only: host === '::' };
    server.listen({ port, ...where }, () => resolve(listenerOf(server, policy)));
  });
}

function listenerOf(server: Server, policy: PolicyName): Listener {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without an address');
  return { host: address.address, port: address.port, policy, close: () => void server.close() };
}

function explain(error: NodeJS.ErrnoException, host: string | undefined, port: number): ServerError {
  const where = host === undefined ? `port ${port}` : `${host} port ${port}`;
  if (error.code === 'EADDRINUSE')
    return new ServerError(
      'port_in_use',
      `${where} is in use by another program; choose another one with --port, or the setting port`,
      {
        cause: error,
      },
    );
  const why = error.code === 'EACCES' ? 'this user may not use it' : error.message;
  return new ServerError('address_unavailable', `can't listen on ${where}: ${why}`, { cause: error });
}
